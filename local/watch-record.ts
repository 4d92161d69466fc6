import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { readJson } from "./json";
import { localFolder, projectFolder } from "./paths";
import { lastName } from "./stack-name";

/** A watch that systemd or cron runs on this machine. */
export interface InstalledWatch {
  readonly stack: string;
  /** Its project's folder, and the folder with its last look. */
  readonly project: string;
  readonly local: string;
  readonly by: "systemd" | "cron";
  /** Minutes between two looks. */
  readonly every: number;
  /** Whether it ends what is over a limit or has ended, whatever `train.whenDone` says. */
  readonly destroys: boolean;
}

/** Folder of what is installed, of this user alone. */
export function watchFolder(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "lambda-train", "watch");
}

/** What a stack's watch is called, by the stack and the project: its unit, and its files. */
export function watchName(stack: string): string {
  const of = createHash("sha256").update(`${projectFolder()}\0${localFolder()}\0${stack}`).digest("hex").slice(0, 8);
  return `lambda-train-watch-${stack.replace(/[^A-Za-z0-9._-]/g, "-")}-${of}`;
}

/** The watches of this project that are installed here. */
export function installedWatches(): readonly InstalledWatch[] {
  const folder = watchFolder();
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const found = names.flatMap((name) => (readJson(join(folder, name)) as InstalledWatch | undefined) ?? []);
  return found.filter(({ project, local }) => project === projectFolder() && local === localFolder());
}

/** A stack's. The engine knows a stack by its last name alone. */
export function installedWatch(stack: string): InstalledWatch | undefined {
  return installedWatches().find((each) => lastName(each.stack) === lastName(stack));
}
