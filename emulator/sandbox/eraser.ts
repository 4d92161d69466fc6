import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

/** Runs a program after all others, for the disk as well, and ends it with this process, however that ends. */
const asideOfAll =
  process.platform === "linux"
    ? ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "19", "ionice", "-c", "3"]
    : ["nice", "-n", "19"];

/**
 * Erases folders, millions of files if need be, while nobody waits: a folder goes to the trash at once, and a process of
 * its own empties the trash. It stands still while a machine boots. What it leaves, the next emulator erases.
 */
export class Eraser {
  private child: ChildProcess | undefined;
  private emptying: Promise<void> = Promise.resolve();
  private isEmptying = false;
  private holds = 0;
  /** Resolves what waits for the last hold to be released. */
  private onRelease: (() => void) | undefined;
  private isClosed = false;

  /** @param trash folder of what is to be erased, on the disk of what comes in */
  constructor(
    private readonly trash: string,
    private readonly log: (line: string) => void,
  ) {}

  /** Takes a folder away, and erases it soon. Nothing to do where there is none. */
  take(folder: string): void {
    fs.mkdirSync(this.trash, { recursive: true, mode: 0o700 });
    try {
      fs.renameSync(folder, path.join(this.trash, `${path.basename(folder)}.${randomBytes(8).toString("hex")}`));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") this.log(`${folder} could not be erased: ${message}`);
      return;
    }
    this.resume();
  }

  /** Stands still until the function that it returns is called. */
  hold(): () => void {
    this.holds += 1;
    this.child?.kill("SIGSTOP");
    return () => {
      this.holds -= 1;
      if (this.holds > 0) return;
      this.child?.kill("SIGCONT");
      this.onRelease?.();
    };
  }

  /** Erases what is in the trash. */
  resume(): void {
    if (this.isEmptying) return;
    this.isEmptying = true;
    this.emptying = this.empty();
  }

  /** Ends the erasing, wherever it is. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.onRelease?.();
    this.child?.kill("SIGKILL");
    await this.emptying;
  }

  private async empty(): Promise<void> {
    const failed = new Set<string>();
    for (;;) {
      await this.released();
      const next = this.isClosed ? undefined : this.names().find((name) => !failed.has(name));
      if (next === undefined) {
        this.isEmptying = false;
        return;
      }
      const folder = path.join(this.trash, next);
      await this.run("rm", "-rf", "--", folder);
      if (this.isClosed || !fs.existsSync(folder)) continue;
      // Folders that their owner may not write to.
      await this.run("chmod", "-R", "u+rwX", "--", folder);
      const problem = await this.run("rm", "-rf", "--", folder);
      if (this.isClosed || !fs.existsSync(folder)) continue;
      this.log(`${folder} could not be erased: ${problem}`);
      failed.add(next);
    }
  }

  private released(): Promise<void> {
    if (this.holds === 0 || this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.onRelease = resolve;
    });
  }

  private names(): string[] {
    return fs.existsSync(this.trash) ? fs.readdirSync(this.trash) : [];
  }

  /** Runs a program to its end. Returns what it complained of. */
  private run(...command: readonly string[]): Promise<string> {
    const [program = "", ...args] = [...asideOfAll, ...command];
    return new Promise((resolve) => {
      const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
      this.child = child;
      // A boot may have begun between two programs.
      if (this.holds > 0) child.kill("SIGSTOP");
      let complaint = "";
      child.stderr.on("data", (chunk: Buffer) => {
        if (complaint.length < 1000) complaint += chunk;
      });
      child.once("error", (error) => resolve(error.message));
      child.once("close", () => resolve(complaint.trim()));
    }).finally(() => {
      this.child = undefined;
    }) as Promise<string>;
  }
}
