import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { InstalledWatch } from "../../local/watch-record";
import { shellQuote } from "../../remote/quote";

/** What is to run, and how often. */
export interface Scheduled {
  /** Of the unit. */
  readonly name: string;
  /** Of people: what it is. */
  readonly description: string;
  /** Absolute path of a shell script. */
  readonly script: string;
  /** Minutes between two runs, 1 to 59. */
  readonly every: number;
}

/** What runs programs on this machine while nobody is logged in. */
export interface Scheduler {
  readonly by: InstalledWatch["by"];
  readonly install: (scheduled: Scheduled) => void;
  readonly remove: (scheduled: Pick<Scheduled, "name" | "script">) => void;
  readonly isThere: (scheduled: Pick<Scheduled, "name" | "script">) => boolean;
}

/** Runs a program. @throws Error with its own words if it fails */
function succeed(program: string, args: readonly string[], input?: string): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", input });
  if (status === 0) return stdout;
  const said = (stderr ?? "").trim() || (error?.message ?? `status ${status}`);
  throw new Error(`${[program, ...args].join(" ")}: ${said}`);
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

function unitFile(name: string, kind: "service" | "timer"): string {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  return join(config, "systemd", "user", `${name}.${kind}`);
}

/** As a unit file has it: `%` begins a specifier there, and `$` a variable. */
function unitQuote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
}

/** A timer of the user's own systemd. A run that takes long is not begun a second time. */
const systemd: Scheduler = {
  by: "systemd",
  install: ({ name, description, script, every }) => {
    const unit = `[Unit]\nDescription=${description}\n`;
    const service = `[Service]\nType=oneshot\nExecStart=/bin/sh ${unitQuote(script)}\nSuccessExitStatus=3 4 10 11\nTimeoutStopSec=300\n`;
    const timer = `[Timer]\nOnActiveSec=1\nOnUnitInactiveSec=${every}min\n\n[Install]\nWantedBy=timers.target\n`;
    mkdirSync(join(unitFile(name, "timer"), ".."), { recursive: true });
    writeFileSync(unitFile(name, "service"), `${unit}\n${service}`);
    writeFileSync(unitFile(name, "timer"), `${unit}\n${timer}`);
    succeed("systemctl", ["--user", "daemon-reload"]);
    succeed("systemctl", ["--user", "enable", `${name}.timer`]);
    succeed("systemctl", ["--user", "restart", `${name}.timer`]);
  },
  remove: ({ name }) => {
    succeed("systemctl", ["--user", "disable", "--now", `${name}.timer`]);
    for (const kind of ["service", "timer"] as const) rmSync(unitFile(name, kind), { force: true });
    succeed("systemctl", ["--user", "daemon-reload"]);
  },
  isThere: ({ name }) => succeeds("systemctl", ["--user", "is-active", `${name}.timer`]),
};

/** The lines of the user's crontab; none without one. */
function crontab(): string[] {
  return (spawnSync("crontab", ["-l"], { encoding: "utf8" }).stdout ?? "").split("\n").filter((line) => line !== "");
}

/** `%` ends a command in a crontab. */
function cronLine({ script, every }: Pick<Scheduled, "script" | "every">): string {
  return `*/${every} * * * * /bin/sh ${shellQuote(script).replaceAll("%", "\\%")}`;
}

function isLineOf(line: string, { script }: Pick<Scheduled, "script">): boolean {
  return line.endsWith(cronLine({ script, every: 1 }).slice("*/1".length));
}

function writeCrontab(lines: readonly string[]): void {
  succeed("crontab", ["-"], lines.map((line) => `${line}\n`).join(""));
}

/** A line of the user's crontab. */
const cron: Scheduler = {
  by: "cron",
  install: (scheduled) =>
    writeCrontab([...crontab().filter((line) => !isLineOf(line, scheduled)), cronLine(scheduled)]),
  remove: (scheduled) => {
    const [lines, left] = [crontab(), crontab().filter((line) => !isLineOf(line, scheduled))];
    if (left.length < lines.length) writeCrontab(left);
  },
  isThere: (scheduled) => crontab().some((line) => isLineOf(line, scheduled)),
};

/** The scheduler of a kind. */
export function schedulerOf(by: InstalledWatch["by"]): Scheduler {
  return by === "systemd" ? systemd : cron;
}

/** The one that works here; undefined where none does. */
export function findScheduler(): Scheduler | undefined {
  if (succeeds("systemctl", ["--user", "show-environment"])) return systemd;
  const { status, stderr = "" } = spawnSync("crontab", ["-l"], { encoding: "utf8" });
  return status === 0 || (stderr ?? "").includes("no crontab") ? cron : undefined;
}

/** Whether the user's systemd goes on while nobody is logged in. Not known counts as no. */
export function lingers(): boolean {
  const { stdout } = spawnSync("loginctl", ["show-user", process.env.USER ?? "", "--property=Linger"], {
    encoding: "utf8",
  });
  return (stdout ?? "").includes("Linger=yes");
}
