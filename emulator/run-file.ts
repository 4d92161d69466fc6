import * as fs from "node:fs";
import * as path from "node:path";
import { writeAtomically } from "./state/files";

/** How to reach a running emulated cloud: the content of `<local>/cloud/cloud.json`. */
export interface RunFile {
  /** Base URL of the API, `http://127.0.0.1:PORT/api/v1`. */
  readonly url: string;
  /** Base URL of the admin surface. Secret, like the key: whoever has it can change the cloud. */
  readonly adminUrl: string;
  /** Secret. */
  readonly apiKey: string;
  /** Port of instances' sshd. */
  readonly sshPort: number;
  /** Durations of the cloud, and waits of its callers, are divided by this. */
  readonly timeScale: number;
  /** Process id of the emulator. */
  readonly pid: number;
}

/** Folder of the emulated cloud's state below a project's local folder. */
export const cloudFolder = (localDir: string): string => path.join(path.resolve(localDir), "cloud");

const fileIn = (localDir: string): string => path.join(cloudFolder(localDir), "cloud.json");

/** Writes the run file, mode 0600. */
export const writeRunFile = (localDir: string, run: RunFile): void =>
  writeAtomically(fileIn(localDir), `${JSON.stringify(run, null, 2)}\n`);

export const removeRunFile = (localDir: string): void => fs.rmSync(fileIn(localDir), { force: true });

/** The run file, or undefined where there is none or its emulator has ended, however it did. */
export function readRunFile(localDir: string): RunFile | undefined {
  let run: RunFile;
  try {
    run = JSON.parse(fs.readFileSync(fileIn(localDir), "utf8")) as RunFile;
  } catch {
    return undefined;
  }
  const isEmulator = isAliveAs(run.pid, (words) => words.includes(path.resolve(localDir)));
  return isEmulator ? run : undefined;
}

/**
 * Whether a process is there, and is the one that is meant by its command line: after a crash, and all the more after a
 * restart of the machine, its number may be another's. Where its command line cannot be read the number must do.
 */
export function isAliveAs(pid: number, isMeant: (words: readonly string[]) => boolean): boolean {
  if (!isAlive(pid)) return false;
  try {
    return isMeant(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"));
  } catch {
    return isAlive(pid);
  }
}

/** Whether a process is there and runs: one that has ended may wait for ever for a parent that asks how. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return !hasEnded(pid);
}

/** Whether all that is left of a process is its entry in the table. Where that cannot be read it is taken to run. */
function hasEnded(pid: number): boolean {
  try {
    // The name before the state, in parentheses, may hold anything.
    return /^.*\) [ZX] /s.test(fs.readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
