import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import type { Project } from "./project";

/** The operating system's Chromium, headless: the smallest of its packages, or the whole browser. */
export function startBrowser(): Promise<Browser> {
  const programs = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => ["chromium-headless-shell", "chromium"].map((name) => join(folder, name)));
  const executablePath = programs.find(isProgram);
  if (executablePath === undefined) throw new Error("Chromium is missing: apt-get install chromium-headless-shell");
  // Chromium refuses to make its sandbox as root, and needs none for pages of our own.
  return chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0,
    // Whoever starts it ends it; a signal is for the whole process.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A dashboard that is being served by `npm run dashboard`. */
export interface RunningDashboard {
  /** Address with the token. */
  readonly url: string;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly pid: number;
  /** Ends it as Ctrl-C does. Gives the exit code. */
  stop(): Promise<number>;
}

/** Starts the dashboard page of a project's stack. */
export async function startDashboard(project: Project, args: readonly string[] = []): Promise<RunningDashboard> {
  const { child, ended } = project.start(process.execPath, [join("dist", "cli", "dashboard.js"), ...args]);
  const url = await new Promise<string>((found, missing) => {
    let output = "";
    const look = (chunk: Buffer): void => {
      output += chunk.toString();
      const match = /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/.exec(output)?.[0];
      if (match !== undefined) found(match);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    ended.then(({ code }) => missing(new Error(`The dashboard ended with status ${code}: ${output}`)), missing);
  });
  return {
    url,
    origin: new URL(url).origin,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGINT");
      return (await ended).code;
    },
  };
}
