import { setTimeout as sleep } from "node:timers/promises";
import type { Project } from "../support/project";
import { type Block, commandsOf } from "./blocks";

/** What a person types into a command that waits for keys. */
export interface Typing {
  /** Begin of the command. */
  readonly command: string;
  /** What it shows first. */
  readonly shows: RegExp;
  /** Keys as a terminal sends them, after which it ends. */
  readonly keys: string;
}

const interrupt = "\u0003";

/** The commands of the pages that need a terminal. */
const typings: readonly Typing[] = [
  { command: "npm run up", shows: /Do you want to perform this update\?/, keys: "yes\r" },
  { command: "npm run watch", shows: /within limits/, keys: interrupt },
  { command: "npm run results -- --watch", shows: /checkpoint|verified/, keys: interrupt },
  { command: "npm run logs", shows: /step \d+/, keys: interrupt },
  { command: "npm run dev", shows: /step \d+/, keys: interrupt },
  { command: "npm run attach", shows: /step \d+/, keys: "\u0002d" },
  { command: "npm run dashboard", shows: /http:\/\/127\.0\.0\.1:\d+/, keys: interrupt },
];

/**
 * The environment of a person who has just cloned the project: nothing is set that the project sets itself, but for the
 * shared cache of engine and Node.js.
 */
function freshEnvironment(project: Project, more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = /^(PULUMI_|LAMBDA_TRAIN_|LAMBDA_API_KEY$|VITEST|npm_)/;
  const env = Object.fromEntries(
    Object.entries(project.env).map(([name, value]) => [name, ours.test(name) ? undefined : value]),
  );
  return { ...env, LAMBDA_TRAIN_CACHE: process.env.LAMBDA_TRAIN_CACHE, PULUMI_SKIP_UPDATE_CHECK: "true", ...more };
}

/**
 * Runs a block as a reader would: its commands in a shell in the project, one after the other, each to its end; those
 * of an interactive block in a terminal, until they show what they are for, and then the keys that end them.
 * @throws Error with what was printed where a command fails, or shows nothing of the kind.
 */
export async function runBlock(project: Project, block: Block, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const fresh = freshEnvironment(project, env);
  if (!block.interactive) {
    const { code, output } = await project.start("bash", ["-euo", "pipefail", "-c", block.text], fresh).ended;
    if (code !== 0) throw new Error(`${block.text}\nended with ${code}:\n${output}`);
    return output;
  }
  let all = "";
  for (const command of commandsOf(block)) {
    const typing = typings.find((candidate) => command.startsWith(candidate.command));
    if (typing === undefined) throw new Error(`Nothing tells what to type into "${command}": add it to typings.`);
    all += await inTerminal(project, command, typing, fresh);
  }
  return all;
}

async function inTerminal(
  project: Project,
  command: string,
  { shows, keys }: Typing,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const { child, ended } = project.start("script", ["-qec", command, "/dev/null"], { ...env, TERM: "xterm" }, "pipe");
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  // It may end by itself before the keys come.
  child.stdin?.on("error", () => {});
  let isOver = false;
  void ended.finally(() => {
    isOver = true;
  });
  const deadline = Date.now() + 60_000;
  while (!shows.test(output)) {
    if (Date.now() > deadline || isOver) throw new Error(`"${command}" did not show ${shows}: ${output}`);
    await sleep(100);
  }
  child.stdin?.write(keys);
  const over = AbortSignal.timeout(120_000);
  await Promise.race([
    ended,
    new Promise((_, late) => over.addEventListener("abort", () => late(new Error(`"${command}" goes on: ${output}`)))),
  ]);
  child.stdin?.end();
  return output;
}
