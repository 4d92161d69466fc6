import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import type { Readable, Writable } from "node:stream";
import { systemPath } from "../network/router/namespace";
import { bwrapArguments, type SandboxSpec } from "./bwrap";

/** A running sandbox. */
export class Sandbox {
  private constructor(
    private readonly child: ChildProcess,
    /** Process id, on the host, of the sandbox's first process. */
    private readonly firstPid: number,
    /** Settles when everything in the sandbox has ended. */
    readonly ended: Promise<void>,
  ) {}

  /**
   * Starts a sandbox. Everything in it ends with this process, however that ends: its first process reads orders from
   * a pipe, and the pipe's end is its own.
   *
   * @param log file that takes what bubblewrap itself has to say
   * @throws Error with that, where the sandbox does not start
   */
  static async start(bwrap: string, spec: SandboxSpec, log: string): Promise<Sandbox> {
    const out = fs.openSync(log, "a", 0o600);
    const { namespace } = spec;
    const command = [bwrap, ...bwrapArguments(spec, { info: 3, block: 4 })];
    const [program = bwrap, ...args] = namespace?.wrap(command) ?? command;
    const child = spawn(program, args, {
      stdio: ["pipe", out, out, "pipe", ...(namespace ? ["pipe" as const] : [])],
      env: { PATH: systemPath },
    });
    fs.closeSync(out);
    // Its end shows below; an order to a sandbox that has ended is lost.
    child.stdin?.on("error", () => {});
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const failure = new Promise<never>((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`The sandbox ended with status ${code}: ${lastLine(log)}`)));
    });
    const firstPid = await Promise.race([readPid(child.stdio[3] as Readable), failure]);
    const sandbox = new Sandbox(child, firstPid, ended);
    if (namespace) {
      const gate = child.stdio[4] as Writable;
      gate.on("error", () => {});
      try {
        await Promise.race([namespace.join(firstPid), failure]);
      } catch (error) {
        failure.catch(() => {});
        sandbox.kill();
        throw error;
      }
      gate.end("\n");
    }
    // From here on its end is no failure of the start.
    failure.catch(() => {});
    return sandbox;
  }

  /** Gives the first process an order: see init.ts. */
  order(order: "lay-overlay" | "shut-down"): void {
    this.child.stdin?.write(`${order}\n`);
  }

  /** Shuts down as a reboot does: a moment for everything to end, then by force. */
  async shutDown(graceMs: number): Promise<void> {
    this.order("shut-down");
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Takes the power away: the end of the first process ends every process of the sandbox. */
  kill(): void {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      process.kill(this.firstPid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
    this.child.kill("SIGKILL");
  }
}

/** Reads the process id that bubblewrap tells on its info descriptor. */
async function readPid(info: Readable): Promise<number> {
  let text = "";
  for await (const chunk of info) text += chunk;
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  if (!pid) return new Promise(() => {}); // It did not start: its exit tells why.
  return Number(pid);
}

const lastLine = (file: string): string => fs.readFileSync(file, "utf8").trim().split("\n").at(-1) ?? "";
