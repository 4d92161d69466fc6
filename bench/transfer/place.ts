import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { buildSync } from "esbuild";
import { shellQuote } from "../../remote/quote";
import { startSshd, type TestSshd } from "../../test/support/sshd";
import { shell } from "../shell";
import type { Answer, Asked } from "./own";

const root = resolve(__dirname, "../..");
const program = join(root, ".local/bench/own.js");

/** A folder here, an instance there, and the two ways between them: the product's, and those of OpenSSH. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "lambda-train-bench-"));
  /** Most resident memory of a process of the agent's so far, in MB. */
  agentMegabytes = 0;

  private constructor(readonly sshd: TestSshd) {}

  static async open(): Promise<Place> {
    const place = new Place(await startSshd());
    buildSync({
      absWorkingDir: root,
      entryPoints: ["bench/transfer/own.ts"],
      // Within the project: the agent's files are found from there.
      outfile: program,
      bundle: true,
      platform: "node",
      target: "node22",
      external: ["*.node", "cpu-features"],
    });
    const { access } = place.sshd;
    writeFileSync(place.path("key"), access.privateKey, { mode: 0o600 });
    writeFileSync(place.path("known_hosts"), `[${access.host}]:${access.port} ${access.hostKey}\n`);
    return place;
  }

  async close(): Promise<void> {
    await this.sshd.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A path here. */
  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** A path there, as seen from here. */
  there(...parts: readonly string[]): string {
    return join(this.sshd.home, ...parts);
  }

  /** Forgets all that was transferred to or from there under this name. */
  forget(name: string): void {
    for (const path of [
      name,
      `.lambda-train/manifests/${name}.json`,
      `.lambda-train/staging/${name}`,
      `.lambda-train/archives`,
      ".lambda-train/hashes",
    ]) {
      rmSync(this.there(path), { recursive: true, force: true });
    }
  }

  /** The product's own transfer. */
  async own(asked: Omit<Asked, "access" | "hashFolder">, port = this.sshd.access.port): Promise<Answer> {
    mkdirSync(this.path("hashes"), { recursive: true });
    const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
    const access = { ...this.sshd.access, port };
    child.stdin.end(JSON.stringify({ ...asked, access, hashFolder: this.path("hashes") }));
    const look = setInterval(() => this.lookAtAgent(), 200);
    try {
      return JSON.parse(await text(child.stdout)) as Answer;
    } finally {
      clearInterval(look);
    }
  }

  /** Words of an OpenSSH client that logs in there, for a shell; its fastest cipher, which is the product's too. */
  ssh(): string {
    return `${this.sshOptions()} ${this.target}`;
  }

  /** The same words without whom to log in as. */
  sshOptions(): string {
    const options = [
      ...["-F", "none", "-i", this.path("key"), "-p", String(this.sshd.access.port), "-o", "BatchMode=yes"],
      ...["-o", `UserKnownHostsFile=${this.path("known_hosts")}`, "-c", "aes128-gcm@openssh.com"],
    ];
    return ["ssh", ...options].map(shellQuote).join(" ");
  }

  get target(): string {
    const { user, host } = this.sshd.access;
    return `${user}@${host}`;
  }

  /** Runs a shell command here that must end well. */
  shell(command: string): Promise<undefined> {
    return shell(command, this.folder);
  }

  private lookAtAgent(): void {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        if (!words.includes(this.sshd.home) && !words.includes(".lambda-train/agent/")) continue;
        const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
        this.agentMegabytes = Math.max(this.agentMegabytes, Number(peak ?? 0) / 1000);
      } catch {
        // It has just ended.
      }
    }
  }
}
