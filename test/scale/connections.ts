import { readFileSync } from "node:fs";
import type { Network } from "../../emulator/state/model";

/** Watches how many connections this machine has to sshd of a cloud's instances, until it is stopped. */
export class ConnectionWatch {
  /** Most of them at one time so far. */
  private most = 0;
  /** End of the other side's address and its port, as /proc/net/tcp has them: bytes from the last to the first. */
  private readonly end: string;
  private readonly timer: NodeJS.Timeout;

  /** @param network Of the cloud: others on this machine have others. */
  constructor({ subnet, sshPort }: Pick<Network, "subnet" | "sshPort">) {
    const bytes = subnet.split(".").reverse().map(Number);
    this.end = `${bytes.map((byte) => hex(byte, 2)).join("")}:${hex(sshPort, 4)}`;
    this.timer = setInterval(() => this.look(), 100);
  }

  stop(): number {
    clearInterval(this.timer);
    this.look();
    return this.most;
  }

  private look(): void {
    const [, ...lines] = readFileSync("/proc/net/tcp", "utf8").trim().split("\n");
    const open = lines.filter((line) => {
      const [, , to, state] = line.trim().split(/\s+/);
      return state === "01" && to?.endsWith(this.end);
    });
    this.most = Math.max(this.most, open.length);
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
