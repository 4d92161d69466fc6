import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { localFolder, packageFolder, projectFolder } from "../../local/paths";
import { type InstalledWatch, installedWatch, watchFolder, watchName } from "../../local/watch-record";
import { readExperiment } from "../../plan/experiment";
import { PlanError } from "../../plan/problems";
import { secretsOf } from "../../plan/secrets";
import { isEmulated, rawStackConfig } from "../stack/pulumi";
import { CommandError, exitCodes } from "../terminal/command";
import { findScheduler, lingers, type Scheduler, schedulerOf } from "./schedulers";
import { watchScript } from "./script";

/** How to watch. */
export interface WatchOptions {
  /** Minutes between two looks. Default 5. */
  readonly every?: number;
  readonly destroy?: boolean;
  readonly repair?: boolean;
}

/** Lets systemd or cron look at a stack again and again. What is installed for it already is replaced. */
export function installWatch(stack: string, { every = 5, destroy, repair }: WatchOptions): number {
  if (every > 59) throw usage(`--every is ${every}: with --install it must be 1 to 59 minutes.`);
  requireKey(stack);
  const scheduler = findScheduler();
  if (scheduler === undefined) {
    throw new CommandError(
      "Couldn't install: there is neither a systemd user session nor cron here. Install cron, or let " +
        `\`npm run watch -- --stack ${stack} --every ${every}\` run in tmux.`,
    );
  }
  const before = installedWatch(stack);
  if (before !== undefined && before.by !== scheduler.by) remove(before.stack, schedulerOf(before.by));
  const name = watchName(stack);
  const args = ["--stack", stack, ...(destroy === true ? ["--destroy"] : []), ...(repair === true ? ["--repair"] : [])];
  const [project, local] = [projectFolder(), localFolder()];
  const log = scheduler.by === "cron" ? join(local, `${name}.log`) : undefined;
  const bootstrap = join(packageFolder(), "engine", "bootstrap.mjs");
  const needs = [...namedIn(stack), ...secretsIn(stack)];
  const text = watchScript({ node: process.execPath, bootstrap, project, args, needs, log }, process.env);
  const script = writeOwn(`${name}.sh`, text);
  const installed: InstalledWatch = { stack, project, local, by: scheduler.by, every, destroys: destroy === true };
  writeOwn(`${name}.json`, JSON.stringify(installed));
  try {
    scheduler.install({ name, description: `lambda-train: watch of stack ${stack}`, script, every });
  } catch (error) {
    removeFiles(name);
    throw new CommandError(`Couldn't install: ${(error as Error).message}`);
  }
  const where = log === undefined ? `journalctl --user -u ${name}` : log;
  console.log(`Installed: ${scheduler.by} looks at ${stack} every ${every} min. What it prints: ${where}`);
  console.log(
    destroy === true
      ? "It terminates when a limit is reached or the run has ended."
      : "It terminates when all runs have ended, if train.whenDone is down. Otherwise it only reports and downloads.",
  );
  console.log(`Keys that it needs are in ${script}, which only you can read.`);
  if (scheduler.by === "systemd" && !lingers()) {
    console.log("systemd ends it when you log out. To let it go on: loginctl enable-linger");
  }
  return exitCodes.ok;
}

/** Undoes {@link installWatch}. */
export function uninstallWatch(stack: string): number {
  const installed = installedWatch(stack);
  if (installed === undefined) {
    throw new CommandError(`No watch of ${stack} is installed here.`, exitCodes.nothing);
  }
  remove(installed.stack, schedulerOf(installed.by));
  console.log(`Uninstalled: nothing looks at ${stack} any more.`);
  return exitCodes.ok;
}

function remove(stack: string, scheduler: Scheduler): void {
  const name = watchName(stack);
  try {
    scheduler.remove({ name, script: scriptOf(name) });
  } catch (error) {
    throw new CommandError(`Couldn't uninstall: ${(error as Error).message}`);
  }
  removeFiles(name);
}

/** Path of the script that a watch runs. */
export function scriptOf(name: string): string {
  return join(watchFolder(), `${name}.sh`);
}

function removeFiles(name: string): void {
  for (const kind of ["sh", "json"]) rmSync(join(watchFolder(), `${name}.${kind}`), { force: true });
}

/** Writes a file that nobody else can read. @throws CommandError where the file system has no such thing */
function writeOwn(name: string, text: string): string {
  const file = join(watchFolder(), name);
  mkdirSync(watchFolder(), { recursive: true, mode: 0o700 });
  rmSync(file, { force: true });
  writeFileSync(file, "", { mode: 0o600 });
  if ((statSync(file).mode & 0o077) !== 0) {
    rmSync(file);
    throw new CommandError(
      `Couldn't install: others can read files in ${watchFolder()}, and it would hold keys. Set XDG_CONFIG_HOME to a folder ` +
        "on a file system that keeps file modes.",
    );
  }
  writeFileSync(file, text);
  return file;
}

/** @throws CommandError where a scheduled watch would have no key */
function requireKey(stack: string): void {
  if (isEmulated(stack) || process.env.LAMBDA_API_KEY || rawStackConfig(stack).apiKey !== undefined) return;
  throw usage(
    `A watch of ${stack} needs a Lambda API key: set LAMBDA_API_KEY for this command, or the stack's own by ` +
      "`npm run pulumi -- config set --secret lambda-train:apiKey`.",
  );
}

/** Variables that the stack's notifications name. */
function namedIn(stack: string): string[] {
  const text = JSON.stringify(rawStackConfig(stack).notify ?? "");
  return [...text.matchAll(/\$\{?(\w+)/g)].flatMap(([, name]) => name ?? []);
}

/** Secrets of the workload: an evaluation needs them, and an `up` that repairs. */
function secretsIn(stack: string): string[] {
  const { experiment } = rawStackConfig(stack);
  if (typeof experiment !== "string") return [];
  try {
    const { secrets } = readExperiment(resolve(projectFolder(), experiment)).environment;
    return secretsOf(secrets).map(({ name }) => name);
  } catch (error) {
    // A watch goes by what the state holds, whatever the file is like by now.
    if (error instanceof PlanError) return [];
    throw error;
  }
}

function usage(message: string): CommandError {
  return new CommandError(message, exitCodes.usage);
}
