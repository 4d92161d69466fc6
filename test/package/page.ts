import { spawn } from "node:child_process";
import type { ForeignFolder } from "../support/foreign-folder";

/** What a page that an installed package serves answers at some paths. Whoever opens its address is let in. */
export async function pageAt(
  { folder, env }: ForeignFolder,
  bin: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const child = spawn(process.execPath, [bin, "dashboard"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((settle) => child.on("close", settle));
  try {
    const url = await new Promise<URL>((found, missing) => {
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const [address] = /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/.exec(output) ?? [];
        if (address !== undefined) found(new URL(address));
      });
      void ended.then((code) => missing(new Error(`The page ended with status ${code}: ${output}`)));
    });
    const cookie = `lambda-train-${url.port}=${url.searchParams.get("token")}`;
    const answers = paths.map(async (path) => {
      const answer = await fetch(new URL(path, url), { headers: { cookie } });
      return [path, `${answer.status} ${await answer.text()}`] as const;
    });
    return new Map(await Promise.all(answers));
  } finally {
    child.kill("SIGINT");
    await ended;
  }
}
