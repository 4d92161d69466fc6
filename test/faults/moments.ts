import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ended } from "../support/project";
import type { TinyChanges } from "../support/tiny";
import type { World } from "./world";

/** What the engine prints when a stage begins. */
export const begins = {
  check: /@ updating/,
  claim: /Claim instance-claim creating/,
  launch: /Instance instance-vm creating/,
  boot: /Boot instance-boot creating/,
  upload: /Upload workspace-code creating/,
  dataset: /Upload dataset-upload creating/,
  extraction: /Command dataset-extract creating/,
  setup: /Command environment-setup creating/,
  gate: /Command gate-verify creating/,
  start: /Command run-train creating/,
  training: /Run run-watch creating/,
  download: /Results results-guard deleting/,
  terminate: /Instance instance-vm deleting/,
} as const;

/** A stage that can be seen in the engine's output. */
export type Moment = keyof typeof begins;

/** Whether a stage belongs to `down`. */
export const isEnding = (moment: Moment): boolean => moment === "download" || moment === "terminate";

/** What is done at a moment of a command: gets its process's id and what it has printed so far. */
export type Strike = (pid: number, output: () => string) => Promise<unknown>;

/** Runs `up` (or `down`) and does something when its output shows that a stage has begun. */
export function atStage(world: World, moment: Moment, strike: Strike): Promise<Ended> {
  return atOutput(world, isEnding(moment) ? "down" : "up", begins[moment], strike);
}

/** Runs a command and does something when its output matches. */
export function atOutput(world: World, command: "up" | "down", pattern: RegExp, strike: Strike): Promise<Ended> {
  return world.during(command, async (output, pid) => {
    await meet(world, () => pattern.test(output()), output, pid);
    await strike(pid, output);
  });
}

/** Waits until something is so. @throws Error with what was printed, where the command ends before */
export async function meet(
  world: World,
  so: () => boolean | Promise<boolean>,
  output: () => string,
  pid: number,
): Promise<void> {
  await world.until(async () => (await so()) || !existsSync(`/proc/${pid}`));
  if (!(await so())) throw new Error(`It ended before it came to that:\n${output()}`);
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** All processes of this machine that can be read. */
function running(): Process[] {
  return readdirSync("/proc").flatMap((name): Process[] => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      return [{ pid: Number(name), parent, words: readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0") }];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}

/** Processes below one, in no order, whose command line holds a text. */
export function below(pid: number, text: string): number[] {
  const all = running();
  const found: Process[] = [];
  const from = [pid];
  for (let parent = from.pop(); parent !== undefined; parent = from.pop()) {
    for (const child of all.filter((one) => one.parent === parent)) {
      found.push(child);
      from.push(child.pid);
    }
  }
  return found.filter(({ words }) => words.some((word) => word.includes(text))).map((one) => one.pid);
}

/** Kills the processes below one whose command line holds a text. @throws Error where there are none */
export async function killBelow(pid: number, text: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  let found = below(pid, text);
  while (found.length === 0) {
    if (Date.now() > deadline) throw new Error(`No process of ${text} came.`);
    await sleep(20);
    found = below(pid, text);
  }
  for (const one of found) process.kill(one, "SIGKILL");
}

/** The run as `status --json` tells it. */
export async function runOf(world: World): Promise<Record<string, unknown>> {
  return (await world.status()).run;
}

/** Whether an instance has a process with just this command line. */
export async function hasProcess(world: World, commandLine: string): Promise<boolean> {
  return (await world.onInstance(`pgrep -fx '${commandLine}' | wc -l`)).trim() !== "0";
}

/** Takes every fault away and changes the configuration, where that was the fault. */
export const healedWith =
  (changes: TinyChanges) =>
  async (world: World): Promise<void> => {
    await world.heal();
    world.configure(changes);
  };

/** Runs a command and does something as soon as a path exists in the home of the stack's instance, with a text in it. */
export function atInstance(
  world: World,
  command: "up" | "down",
  path: string,
  strike: Strike,
  text?: string,
): Promise<Ended> {
  return world.during(command, async (output, pid) => {
    const inHome = async (): Promise<boolean> => {
      const [instance] = await world.living();
      return instance !== undefined && world.memory.inHome(instance.id, path, text);
    };
    await meet(world, inHome, output, pid);
    await strike(pid, output);
  });
}

/** Bytes of a file whose sending can be met: more than what is on its way at any time. */
export const bigBytes = 8_000_000;

/** Runs `up` and does something while a big file arrives in a folder of the instance's home, which then goes on at once. */
export function whileArriving(world: World, folder: string, strike: () => void): Promise<Ended> {
  return world.during("up", async (output, pid) => {
    const arrives = async (): Promise<boolean> => {
      const [instance] = await world.living();
      const place = join(world.memory.homeOf(instance?.id ?? "none"), folder);
      if (!existsSync(place)) return false;
      const names = readdirSync(place, { recursive: true, encoding: "utf8" });
      return names.some((name) => statSync(join(place, name)).size > 500_000);
    };
    await meet(world, arrives, output, pid);
    strike();
    await world.cloud.admin.removeAllFaults();
  });
}

/** Resets all connections to the stack's instance. */
export async function dropAll(world: World): Promise<void> {
  await world.cloud.admin.dropConnections(await world.instanceId());
}

/** A first `up`, and a checkpoint of its run. */
export async function started(world: World): Promise<void> {
  await world.fine(world.up());
  await world.checkpoint();
}

/** Bytes that do not shrink, the same for the same number. */
export function bulk(bytes: number): { readonly content: Buffer; readonly sha256: string } {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) => createHash("sha256").update(`${i}`).digest());
  const content = Buffer.concat(blocks).subarray(0, bytes);
  return { content, sha256: createHash("sha256").update(content).digest("hex") };
}

/** Writes such bytes into a file of the project. */
export function withBulk({ project }: World, path: string, bytes: number): void {
  writeFileSync(join(project.folder, path), bulk(bytes).content);
}

/** Lets the line to each instance carry no more than this, until the faults are removed. */
export async function slowly({ cloud }: World, bytesPerSecond: number): Promise<void> {
  await cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond } });
}

/** Makes training take some seconds between its start and its first step. */
export async function withLateFirstStep({ project }: World): Promise<void> {
  const program = project.read("tiny/train.py");
  project.write("tiny/train.py", program.replace("\ndef save(", "\ntime.sleep(5)\n\n\ndef save("));
}
