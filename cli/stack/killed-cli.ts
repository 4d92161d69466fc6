import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAliveAs } from "../../emulator/run-file";
import { engineAlive } from "../../engine/link/address";
import { readJson } from "../../local/json";
import { localFolder, projectFolder } from "../../local/paths";
import { backendFolder, stateFile } from "./local-state";
import { projectName } from "./names";
import { pulumiOutput } from "./pulumi";

/**
 * Mends what a killed CLI left behind in the file backend: its lock, files that it had begun to write, and operations
 * that it had begun. A lock whose process lives, or that another machine holds, stays, and all else with it.
 * @returns whether an update was cut and none has come to its end since: what it had begun to delete or change is in
 * the state as it was before, so that the next `up` must look at everything again. {@link noteWhole} ends that.
 */
export async function mendAfterKill(stack: string): Promise<boolean> {
  const backend = backendFolder();
  if (backend === undefined) return false;
  const root = join(backend, ".pulumi");
  const stacks = join(root, "stacks", projectName());
  const locks = join(root, "locks", "organization", projectName(), stack);
  const held = await locksIn(locks);
  if (held.some((lock) => lock !== undefined && isHeld(lock))) return false;
  const state = stateFile(stack);
  const hasBegun = state !== undefined && /"pending_operations":/.test(readFileSync(state, "utf8"));
  // Written to a file before any repair: this command may be killed too.
  if (held.length > 0 || hasBegun) noteCut(stack);
  if (held.length > 0) {
    const pid = held.find((lock) => lock !== undefined)?.pid;
    console.log(
      `The last update of ${stack} was killed${pid === undefined ? "" : ` (process ${pid})`}. Removed its lock.`,
    );
    for (const folder of [stacks, locks]) removeHalfWritten(folder);
    await pulumiOutput(["cancel", "--yes", "--stack", stack]);
    await endOrphans();
  }
  if (hasBegun) await forgetPendingOperations(stack);
  return existsSync(cutMark(stack));
}

/** Whether a command that is known to live works on the stack. Of another kind of backend than a folder: not known, so not. */
export async function isWorkedOn(stack: string): Promise<boolean> {
  const backend = backendFolder();
  if (backend === undefined) return false;
  const root = join(backend, ".pulumi");
  const held = await locksIn(join(root, "locks", "organization", projectName(), stack));
  return held.some((lock) => lock !== undefined && isHeld(lock));
}

/** Notes that an update was cut: what it had deleted may be in the state still. */
export function noteCut(stack: string): void {
  mkdirSync(localFolder(), { recursive: true });
  writeFileSync(cutMark(stack), "");
}

/** Notes that an `up` or a destroy came to its end: the state is as the cloud is. */
export function noteWhole(stack: string): void {
  rmSync(cutMark(stack), { force: true });
}

function cutMark(stack: string): string {
  return join(localFolder(), `cut-${stack.replaceAll("/", "-")}`);
}

/**
 * Ends provider processes of this project whose engine is gone. They end by themselves (see watchdog.ts) once they have
 * been called; one whose engine was killed before that would stay. Linux alone tells of other processes.
 */
async function endOrphans(): Promise<void> {
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
      const isProvider = words.some((word) => word.endsWith("/cmd/dynamic-provider/index.js"));
      if (!isProvider || realpathSync(`/proc/${pid}/cwd`) !== realpathSync(projectFolder())) continue;
      if (!(await engineAlive(words))) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended, or is somebody else's.
    }
  }
}

interface Lock {
  readonly pid: number;
  readonly hostname: string;
  readonly username?: string;
  readonly timestamp?: string;
}

/** The locks of a stack, and whether whoever took them lives, as far as can be seen from here. None for another kind of backend. */
export async function heldLocks(stack: string): Promise<readonly (Lock & { readonly isHeld: boolean })[]> {
  const backend = backendFolder();
  if (backend === undefined) return [];
  const locks = await locksIn(join(backend, ".pulumi", "locks", "organization", projectName(), stack));
  return locks.flatMap((lock) => (lock === undefined ? [] : [{ ...lock, isHeld: isHeld(lock) }]));
}

/** Whether a lock's process lives, as far as can be seen from here. */
function isHeld({ pid, hostname: holder }: Lock): boolean {
  return holder !== hostname() || isAliveAs(pid, ([program = ""]) => basename(program).startsWith("pulumi"));
}

/** What holds the stack; undefined for a lock that was being written when its process was killed. */
async function locksIn(folder: string): Promise<(Lock | undefined)[]> {
  const names = namesIn(folder);
  // The engine takes any file for a lock. One that is being written has its name a moment later.
  const begun = names.filter((name) => name.endsWith(".tmp"));
  if (begun.length > 0) await sleep(1000);
  const there = namesIn(folder);
  return [
    ...there.filter((name) => name.endsWith(".json")).map((name) => readJson(join(folder, name)) as Lock | undefined),
    ...begun.filter((name) => there.includes(name)).map(() => undefined),
  ];
}

/**
 * Removes what was cut short: files that had no name of their own yet, and attributes. The backend writes these beside
 * each of its files, not in one step, and reads no file whose attributes it cannot read; without any it can.
 */
function removeHalfWritten(folder: string): void {
  for (const name of namesIn(folder)) {
    const file = join(folder, name);
    if (name.endsWith(".tmp") || (name.endsWith(".attrs") && readJson(file) === undefined))
      rmSync(file, { force: true });
  }
}

/**
 * Takes out of the state what a killed update had begun and not ended. The engine would warn of it at every run from
 * then on; for this stack there is nothing to look into, since claims and names find again whatever it was.
 */
async function forgetPendingOperations(stack: string): Promise<void> {
  const state = JSON.parse(await pulumiOutput(["stack", "export", "--stack", stack])) as {
    deployment: { pending_operations?: unknown[] };
  };
  if (state.deployment.pending_operations === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
  try {
    const file = join(folder, "state.json");
    const { pending_operations: _begun, ...deployment } = state.deployment;
    writeFileSync(file, JSON.stringify({ ...state, deployment }), { mode: 0o600 });
    await pulumiOutput(["stack", "import", "--stack", stack, "--file", file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
