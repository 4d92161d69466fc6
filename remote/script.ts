import { createInterface } from "node:readline";
import { endedSoon, type SshSession, sshFailure } from "./session";
import { collect } from "./ssh/process";

const mostKept = 1 << 20;

/**
 * Runs bash text to its end, and tells each line that it prints. Gives all of them.
 * @throws SshError kind `exit` with what it said last
 */
export async function runScript(session: SshSession, script: string, tell: (line: string) => void): Promise<string> {
  const running = await session.stream("bash -s");
  // How it ends tells more than a stream that breaks.
  running.stdin.on("error", () => {});
  running.stdin.end(script);
  const said = collect(running.stderr, mostKept);
  const lines: string[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    lines.push(line);
    tell(line);
  }
  const { code } = await endedSoon(running);
  if (code !== 0) throw sshFailure(session, code, "The step", said().trim() === "" ? lines.join("\n") : said());
  return lines.map((line) => `${line}\n`).join("");
}
