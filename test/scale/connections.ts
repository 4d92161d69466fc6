import { readFileSync } from "node:fs";

/** Watches how many connections this machine has to instances' sshd, until it is stopped. */
export class ConnectionWatch {
  /** Most of them at one time so far. */
  most = 0;
  private readonly port: string;
  private readonly timer: NodeJS.Timeout;

  /** @param port Of sshd on the instances. */
  constructor(port: number) {
    this.port = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    this.timer = setInterval(() => this.look(), 100);
  }

  stop(): number {
    clearInterval(this.timer);
    this.look();
    return this.most;
  }

  private look(): void {
    const lines = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
    const open = lines
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , to, state]) => to?.endsWith(this.port) && state === "01");
    this.most = Math.max(this.most, open.length);
  }
}
