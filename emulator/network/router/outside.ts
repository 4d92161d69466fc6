import { type ChildProcess, spawn } from "node:child_process";
import { systemPath } from "./namespace";
import { outside } from "./plan";

/** What slirp4netns takes from itself. Not every kernel can do it. */
const hardening = ["--enable-sandbox", "--enable-seccomp"];

/** The way out of a router's namespace: slirp4netns, which opens what is asked for as its user, and no loopback address. */
export class WayOut {
  private constructor(private readonly child: ChildProcess) {}

  /**
   * Opens the way out. It closes with this process, however that ends.
   *
   * @param pid a process of the namespace
   * @throws Error that says what is missing
   */
  static async open(pid: number): Promise<WayOut> {
    try {
      return await WayOut.start(pid, hardening);
    } catch {
      return WayOut.start(pid, []);
    }
  }

  private static async start(pid: number, options: readonly string[]): Promise<WayOut> {
    const fixed = ["--configure", "--mtu=65520", "--disable-host-loopback", `--cidr=${outside.subnet}`];
    // It ends when the other end of descriptor 4 is closed.
    const args = [...fixed, ...options, "--ready-fd=3", "--exit-fd=4", String(pid), "tap0"];
    const child = spawn("slirp4netns", args, {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      detached: true,
      env: { PATH: systemPath },
    });
    let complaint = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      if (complaint.length < 4000) complaint += chunk;
    });
    child.stdio[4]?.on("error", () => {});
    await new Promise<void>((resolve, reject) => {
      child.once("error", ({ message }) => reject(new Error(`slirp4netns: ${message}`)));
      // It tells the cause first, then what followed.
      child.once("close", () => reject(new Error(`slirp4netns: ${complaint.trim().replaceAll("\n", ", ")}`)));
      child.stdio[3]?.once("data", () => resolve());
    });
    return new WayOut(child);
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.kill("SIGTERM");
    await ended;
  }
}
