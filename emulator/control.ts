import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AdminClient } from "./admin-client";
import { cloudFolder, isAlive, type RunFile, readRunFile } from "./run-file";

export interface StartOptions {
  /** Port of the API. Default: a free one. */
  readonly port?: number;
  /** Default: as it was, else 60. */
  readonly timeScale?: number;
  /** Ports of this machine's 127.0.0.1 that instances reach. Default: as they were, else none. */
  readonly hostPorts?: readonly number[];
  /** `none`: instances are in the API alone, without sshd. Default `sandbox`. */
  readonly instances?: "sandbox" | "none";
  /** Seconds to wait for the cloud to answer. Default 60. */
  readonly timeoutSeconds?: number;
}

/** A cloud that answers, and whether this call started it. */
export interface EnsuredCloud extends RunFile {
  readonly started: boolean;
}

/**
 * Sees that the emulated cloud of a project runs, and starts it in the background if it does not. Callers at the same
 * time get the same cloud.
 *
 * @param localDir the project's local folder (`.local`); state is below `cloud/`, the log in `cloud/emulator.log`
 * @throws Error with the end of the log, where it does not come up
 */
export async function ensureCloud(localDir: string, options: StartOptions = {}): Promise<EnsuredCloud> {
  const running = readRunFile(localDir);
  if (running && (await answers(running))) return { ...(await adjust(running, options)), started: false };

  const folder = cloudFolder(localDir);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const logFile = path.join(folder, "emulator.log");
  const log = fs.openSync(logFile, "a", 0o600);
  const [program, ...rest] = emulatorCommand();
  const child = spawn(program, [...rest, ...emulatorArguments(localDir, options)], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: path.resolve(__dirname, ".."),
  });
  fs.closeSync(log);
  child.unref();

  const seconds = options.timeoutSeconds ?? 60;
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    const run = readRunFile(localDir);
    if (run && (await answers(run))) {
      const started = run.pid === child.pid;
      // One that was slower ends by itself; until then it would take the place of a cloud that is stopped.
      while (!started && child.exitCode === null && child.signalCode === null && Date.now() < deadline) await sleep(50);
      return { ...run, started };
    }
    // Status 75 means that another process was faster: its run file will be there.
    if (child.exitCode !== null && child.exitCode !== 75)
      throw new Error(`The emulated cloud did not start. Its log, ${logFile}, ends with:\n${tail(logFile)}`);
    await sleep(50);
  }
  if (child.pid && child.exitCode === null) process.kill(child.pid, "SIGTERM");
  throw new Error(
    `The emulated cloud did not answer within ${seconds} s. Run it again when this machine is less busy, or start the cloud anew: ` +
      `\`npm run cloud -- stop\`. Its log is ${logFile}:\n${tail(logFile)}`,
  );
}

/**
 * Stops the emulated cloud of a project, if it runs: every process of its instances ends, state and disks stay.
 *
 * @returns whether it ran
 */
export async function stopCloud(localDir: string): Promise<boolean> {
  const running = readRunFile(localDir);
  if (!running) return false;
  process.kill(running.pid, "SIGTERM");
  for (let i = 0; i < 200 && isAlive(running.pid); i++) await sleep(50);
  // Instances end with their emulator, however it ends.
  if (isAlive(running.pid)) process.kill(running.pid, "SIGKILL");
  return true;
}

/** Stops the emulated cloud and erases its state, instances and file systems. */
export async function resetCloud(localDir: string): Promise<void> {
  await stopCloud(localDir);
  fs.rmSync(cloudFolder(localDir), { recursive: true, force: true, maxRetries: 3 });
}

/** The running emulated cloud of a project, or undefined where none answers. */
export async function runningCloud(localDir: string): Promise<RunFile | undefined> {
  const run = readRunFile(localDir);
  return run && (await answers(run)) ? run : undefined;
}

/** Gives a running cloud the time scale and host ports asked for. Its own port stays as it is. */
async function adjust(run: RunFile, { timeScale, hostPorts }: StartOptions): Promise<RunFile> {
  if (hostPorts !== undefined)
    await new AdminClient(run.adminUrl).patchSettings({ network: { hostPorts: [...hostPorts] } });
  if (timeScale === undefined || timeScale === run.timeScale) return run;
  await new AdminClient(run.adminUrl).patchSettings({ timeScale });
  return { ...run, timeScale };
}

/** Arguments of the emulator's process. */
export function emulatorArguments(localDir: string, { port, timeScale, hostPorts, instances }: StartOptions): string[] {
  return [
    ...["--local", path.resolve(localDir)],
    ...(port === undefined ? [] : ["--port", String(port)]),
    ...(timeScale === undefined ? [] : ["--time-scale", String(timeScale)]),
    ...(hostPorts === undefined ? [] : ["--host-ports", hostPorts.join(",")]),
    ...(instances === undefined ? [] : ["--instances", instances]),
  ];
}

/** How to start the emulator's process: its bundle, beside the one that this is in, else straight from its source. */
export function emulatorCommand(): [string, ...string[]] {
  const bundle = path.join(__dirname, "..", "emulator", "main.js");
  if (fs.existsSync(bundle)) return [process.execPath, bundle];
  if (!fs.existsSync(path.join(__dirname, "main.ts")))
    throw new Error(
      "The emulated cloud doesn't run, and only a clone of lambda-train can start it: the package is for real accounts. " +
        "Leave lambda-train:endpoint out of the stack's file.",
    );
  return [process.execPath, "-r", path.join(__dirname, "../engine/typescript.cjs"), path.join(__dirname, "main.ts")];
}

/** Whether the cloud answers a call that takes no key and does not count against the rate limit. */
async function answers({ url }: RunFile): Promise<boolean> {
  try {
    const response = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

const tail = (file: string): string => fs.readFileSync(file, "utf8").trim().split("\n").slice(-5).join("\n");
