import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Attachment } from "../network/attachment";
import { Relay, type RelayOptions } from "../network/relay";
import type { OverlayFile } from "../state/model";
import type { SandboxSpec } from "./bwrap";
import type { Eraser } from "./eraser";
import { initScript, overlayMark, sshdConfig } from "./init";
import { giveToGuest } from "./ownership";
import { makeRootfs, writeFiles } from "./rootfs";
import { Sandbox } from "./sandbox";
import { uname } from "./shims";
import { startScripts } from "./user-data";

/** Off: without power. Failed: it ended by itself, or could not be started. */
export type Power = "off" | "starting" | "on" | "failed";

/** What a machine is made of and how it is reached. */
export interface MachineSpec {
  readonly id: string;
  /** Folder of the instance; erased with it. */
  readonly folder: string;
  /** Default host name; user_data may ask for another. */
  readonly hostname: string;
  readonly imageFamily: string;
  readonly privateIp: string;
  readonly authorizedKeys: readonly string[];
  readonly mounts: SandboxSpec["mounts"];
  readonly attachment: Attachment;
  readonly relay: Omit<RelayOptions, "connect">;
  /** Troubles that take hold at a boot. */
  readonly troubles: () => { wrongHostKey: boolean; homeBytes?: number; machine?: string };
  readonly overlay: () => Readonly<Record<string, OverlayFile>>;
  /** Takes what the disk has to lose, and stands still while the machine boots. */
  readonly erasure: Pick<Eraser, "take" | "hold">;
}

/** How long a reboot lets processes end by themselves. */
const rebootGraceMs = 3000;

/** One instance's machine: its disk, its sandbox and the way in. Operations wait for the one before. */
export class Machine {
  power: Power = "off";
  readonly relay: Relay;
  private sandbox: Sandbox | undefined;
  private queue: Promise<void> = Promise.resolve();
  private generation = 0;

  constructor(
    private readonly bwrap: string,
    private readonly spec: MachineSpec,
    private readonly log: (line: string) => void,
  ) {
    this.relay = new Relay({ ...spec.relay, connect: (source) => spec.attachment.connect(source) });
  }

  powerOn(): void {
    if (this.power !== "off") return;
    this.power = "starting";
    this.enqueue(() => this.boot());
  }

  /** Takes the power away. Resolves when every process has ended. */
  powerOff(): Promise<void> {
    this.power = "off";
    this.relay.close();
    this.sandbox?.kill();
    return this.enqueue(async () => {
      this.sandbox?.kill();
      await this.sandbox?.ended;
      await this.spec.attachment.namespace?.leave();
    });
  }

  reboot(): void {
    this.bootAgain((sandbox) => sandbox.shutDown(rebootGraceMs));
  }

  /** Takes the power away and gives it back: no process has time to end by itself. */
  powerCycle(): void {
    this.bootAgain(async (sandbox) => {
      sandbox.kill();
      await sandbox.ended;
    });
  }

  private bootAgain(end: (sandbox: Sandbox) => Promise<void>): void {
    this.power = "starting";
    this.relay.setOpen(false);
    this.enqueue(async () => {
      const sandbox = this.sandbox;
      this.sandbox = undefined;
      if (sandbox !== undefined) await end(sandbox);
      this.relay.dropAll();
      await this.boot();
    });
  }

  /**
   * Puts the overlay's files into the instance now. Resolves when they are there.
   *
   * @throws Error naming those that could not be written
   */
  async layOverlay(): Promise<void> {
    await this.writeOverlay();
    const mark = path.join(this.rootfs, overlayMark);
    this.sandbox?.order("lay-overlay");
    for (let i = 0; this.power === "on" && i < 100; i++) {
      const [generation, ...problems] = (await fs.readFile(mark, "utf8").catch(() => "")).trim().split(" ");
      if (generation === String(this.generation)) {
        if (problems.length > 0) throw new Error(`The instance could not write ${problems.join(", ")}.`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private get rootfs(): string {
    return path.join(this.spec.folder, "root");
  }

  private get usrLocal(): string {
    return path.join(this.spec.folder, "usr-local");
  }

  private enqueue(action: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(action).catch((error: Error) => {
      if (this.power === "starting") this.power = "failed";
      this.log(`Instance ${this.spec.id}: ${error.message}`);
    });
    return this.queue;
  }

  private async boot(): Promise<void> {
    const release = this.spec.erasure.hold();
    try {
      await this.bootUndisturbed();
    } finally {
      release();
    }
  }

  private async bootUndisturbed(): Promise<void> {
    const { folder, hostname, mounts } = this.spec;
    const scripts = await this.writeSeed();
    await this.writeOverlay();
    await this.makeDisk(scripts.hostname ?? hostname);
    if (this.power !== "starting") return; // Power was taken away meanwhile.
    const sandbox = await Sandbox.start(
      this.bwrap,
      {
        hostname: scripts.hostname ?? hostname,
        root: this.rootfs,
        usrLocal: this.usrLocal,
        seed: path.join(folder, "seed"),
        overlay: path.join(folder, "overlay"),
        mounts,
        homeBytes: this.spec.troubles().homeBytes,
        namespace: this.spec.attachment.namespace,
      },
      path.join(folder, "sandbox.log"),
    );
    this.sandbox = sandbox;
    sandbox.ended.then(() => {
      if (this.sandbox !== sandbox || this.power === "off") return;
      this.power = "failed";
      this.relay.close();
      this.log(`Instance ${this.spec.id}: its first process ended, so the machine is off until a restart.`);
    });
    await this.waitForSshd(sandbox);
    if (this.power === "starting") this.power = "on";
  }

  /** Makes the disk at the first boot, and again if a crash left it incomplete. */
  private async makeDisk(hostname: string): Promise<void> {
    const done = path.join(this.spec.folder, "disk.done");
    const { imageFamily, privateIp, mounts } = this.spec;
    if (!existsSync(done)) {
      for (const part of [this.rootfs, this.usrLocal]) this.spec.erasure.take(part);
      await makeRootfs(this.rootfs, this.usrLocal, {
        hostname,
        imageFamily,
        privateIp,
        sshdConfig,
        mountPoints: mounts.map((mount) => mount.mountPoint),
      });
      await giveToGuest(this.rootfs, this.usrLocal);
      await fs.writeFile(done, "");
    }
    this.spec.erasure.take(path.join(this.rootfs, "tmp"));
    await fs.mkdir(path.join(this.rootfs, "tmp"));
    await fs.chmod(path.join(this.rootfs, "tmp"), 0o1777);
    await giveToGuest(path.join(this.rootfs, "tmp"));
  }

  private async writeSeed() {
    const { folder, authorizedKeys, attachment } = this.spec;
    const userData = await fs.readFile(path.join(folder, "user-data"), "utf8").catch(() => undefined);
    const scripts = startScripts(userData, authorizedKeys);
    const seed = path.join(folder, "seed");
    await fs.rm(seed, { recursive: true, force: true });
    await fs.mkdir(seed, { recursive: true });
    await writeFiles(seed, {
      "init.sh": initScript,
      "sshd-options": attachment.sshAddresses.map((address) => `-oListenAddress=${address}\n`).join(""),
      ...(attachment.resolver !== undefined && { "resolv.conf": attachment.resolver }),
      "home.sh": scripts.home,
      "config.sh": scripts.config,
      ...(scripts.bootcmd && { "bootcmd.sh": scripts.bootcmd }),
      ...(scripts.final && { "final.sh": scripts.final }),
      ...(this.spec.troubles().wrongHostKey && { "wrong-host-key": "" }),
    });
    return scripts;
  }

  private async writeOverlay(): Promise<void> {
    const folder = path.join(this.spec.folder, "overlay");
    const { machine } = this.spec.troubles();
    const files: Record<string, OverlayFile> = { ...this.spec.overlay() };
    if (machine)
      files["/usr/local/bin/uname"] = { content: Buffer.from(uname(machine)).toString("base64"), mode: "0755" };
    await fs.mkdir(path.join(folder, "files"), { recursive: true });
    for (const [name, { content, mode }] of Object.entries(files)) {
      const file = path.join(folder, "files", path.resolve("/", name));
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.writeFile(file, Buffer.from(content, "base64"));
      await fs.chmod(file, Number.parseInt(mode, 8));
    }
    this.generation += 1;
    await fs.writeFile(path.join(folder, "generation"), String(this.generation));
  }

  private async waitForSshd(sandbox: Sandbox): Promise<void> {
    let over = false;
    sandbox.ended.then(() => {
      over = true;
    });
    for (let i = 0; i < 600 && !over && this.power === "starting"; i++) {
      if (await this.accepts()) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  private accepts(): Promise<boolean> {
    return this.spec.attachment.connect("127.0.0.1").then(
      (socket) => {
        socket.on("error", () => {}).destroy();
        return true;
      },
      () => false,
    );
  }
}
