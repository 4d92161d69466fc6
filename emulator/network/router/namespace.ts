import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { isRoot } from "../../sandbox/bwrap";
import type { Order, Report } from "./messages";

/** Where programs of the system are, whatever the emulator's own environment says. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The process that a router's network namespace belongs to: its bundle, beside the one that this is in, else its source. */
function command(): string[] {
  const bundle = path.join(__dirname, "..", "emulator", "router.js");
  if (existsSync(bundle)) return [process.execPath, bundle];
  // Its types are taken away by Node.js itself, which warns of that.
  return [process.execPath, "--no-warnings", path.join(__dirname, "process.ts")];
}

/** A network namespace of this emulator's, with sockets of it at hand. It ends with this process, however that ends. */
export class Namespace {
  private lastId = 0;
  private readonly waiting = new Map<number, { resolve(socket: net.Socket): void; reject(error: Error): void }>();
  private readonly listeners = new Map<number, (socket: net.Socket) => void>();
  /** Settles when its process has ended. */
  readonly ended: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    private readonly log: (line: string) => void,
  ) {
    this.ended = new Promise((resolve) => child.once("exit", () => resolve()));
    this.ended.then(() => {
      for (const { reject } of this.waiting.values()) reject(new Error("The instances' router has ended."));
      this.waiting.clear();
    });
    child.on("message", (report: Report, handle: unknown) =>
      this.take(report, handle instanceof net.Socket ? handle : undefined),
    );
  }

  /**
   * Makes a namespace: as root, or in a user namespace of its own, whose root an ordinary user is.
   *
   * @throws Error that says what this machine refuses
   */
  static async make(log: (line: string) => void): Promise<Namespace> {
    const unshare = ["unshare", ...(isRoot() ? [] : ["--user", "--map-root-user"]), "--net"];
    const [program = "", ...args] = [...unshare, ...command()];
    // In a session of its own: an interrupt at the terminal is the emulator's to obey.
    const child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: true,
      env: { PATH: systemPath },
    });
    let complaint = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      if (complaint.length < 1000) complaint += chunk;
    });
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", () => reject(new Error(complaint.trim() || `${program} ended.`)));
      child.once("message", () => resolve());
    });
    return new Namespace(child, log);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** A command, run with the rights over this namespace and those made from it; within it, unless said otherwise. */
  wrap(command: readonly string[], where: "inside" | "outside" = "inside"): string[] {
    const user = isRoot() ? [] : [`--user=/proc/${this.pid}/ns/user`, "--preserve-credentials"];
    const network = where === "inside" ? [`--net=/proc/${this.pid}/ns/net`] : [];
    return user.length + network.length === 0 ? [...command] : ["nsenter", ...user, ...network, "--", ...command];
  }

  /**
   * Runs a shell script in the namespace.
   *
   * @throws Error with what it complained of
   */
  run(script: string): Promise<void> {
    const [program = "", ...args] = this.wrap(["sh", "-s"]);
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"], env: { PATH: systemPath } });
      let complaint = "";
      child.stderr.on("data", (chunk: Buffer) => {
        if (complaint.length < 1000) complaint += chunk;
      });
      child.once("error", reject);
      child.once("close", (code) =>
        code === 0 ? resolve() : reject(new Error(complaint.trim() || `status ${code} of a script in a namespace`)),
      );
      // A script that ended early shows by its status.
      child.stdin.on("error", () => {});
      child.stdin.end(script);
    });
  }

  /** Opens a connection from within the namespace. */
  connect(host: string, port: number): Promise<net.Socket> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (!this.send({ kind: "connect", id, host, port })) {
        reject(new Error("The instances' router has ended."));
        return;
      }
      this.waiting.set(id, { resolve, reject });
    });
  }

  /** Listens within the namespace, until `unlisten`. */
  listen(host: string, port: number, accept: (socket: net.Socket) => void): void {
    this.listeners.set(port, accept);
    this.send({ kind: "listen", host, port });
  }

  unlisten(port: number): void {
    this.listeners.delete(port);
    this.send({ kind: "unlisten", port });
  }

  /** Ends the process. The namespace is gone with the last socket of it. */
  async close(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    await this.ended;
  }

  private send(order: Order): boolean {
    if (!this.child.connected) return false;
    this.child.send(order);
    return true;
  }

  private take(report: Report, socket: net.Socket | undefined): void {
    if (socket !== undefined) socket.allowHalfOpen = true;
    switch (report.kind) {
      case "connected": {
        const waiting = this.forget(report.id);
        // It may have been closed on the way.
        if (socket === undefined) waiting?.reject(new Error("The connection was lost at once."));
        else waiting?.resolve(socket);
        break;
      }
      case "failed":
        this.forget(report.id)?.reject(new Error(report.message));
        break;
      case "accepted": {
        const accept = this.listeners.get(report.port);
        if (socket !== undefined && accept !== undefined) accept(socket);
        else socket?.destroy();
        break;
      }
      case "deaf":
        this.log(`Instances can't reach port ${report.port} of this machine: ${report.message}`);
        break;
      case "ready":
        break;
    }
  }

  private forget(id: number) {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    return waiting;
  }
}
