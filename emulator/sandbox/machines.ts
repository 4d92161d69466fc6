import * as fs from "node:fs";
import * as path from "node:path";
import { hostnameOf } from "../api/present";
import { linkFaultsOf, troubleOf } from "../faults/instances";
import { sharedAttachment } from "../network/attachment";
import { isAdmitted } from "../network/firewall";
import type { Router } from "../network/router/router";
import type { CloudState, InstanceRecord } from "../state/model";
import { guestUser, isRoot } from "./bwrap";
import { Eraser } from "./eraser";
import { Machine, type Power } from "./machine";
import { UsedBytes } from "./used-bytes";

/** Port of sshd as the firewall knows it, wherever the emulator listens for it. */
const guestSshPort = 22;

/**
 * The machines behind the instances. Without `bwrap` there are none: instances exist in the API alone. Without a router
 * they share this machine's network.
 */
export class Machines {
  private readonly machines = new Map<string, Machine>();
  private readonly usedBytes = new UsedBytes();
  private readonly endings = new Set<Promise<void>>();
  private readonly eraser: Eraser | undefined;

  constructor(
    private readonly state: CloudState,
    private readonly folder: string | undefined,
    private readonly bwrap: string | undefined,
    private readonly router: Router | undefined,
    private readonly log: (line: string) => void,
  ) {
    this.eraser = folder === undefined ? undefined : new Eraser(path.join(folder, "trash"), log);
  }

  /** Keeps user_data for the instance's boots. Call before the launch is in the state. */
  prepare(id: string, userData: string | undefined): void {
    if (!this.bwrap || userData === undefined) return;
    fs.mkdirSync(this.instanceFolder(id), { recursive: true, mode: 0o700 });
    fs.writeFileSync(path.join(this.instanceFolder(id), "user-data"), userData, { mode: 0o600 });
  }

  /** Starts the machine if it is off. */
  powerOn(record: InstanceRecord): void {
    if (this.bwrap) this.machine(record, this.bwrap).powerOn();
  }

  powerOff(id: string): void {
    const machine = this.machines.get(id);
    if (machine) this.await(machine.powerOff());
  }

  reboot(record: InstanceRecord): void {
    if (this.bwrap) this.machine(record, this.bwrap).reboot();
  }

  powerCycle(record: InstanceRecord): void {
    if (this.bwrap) this.machine(record, this.bwrap).powerCycle();
  }

  power(id: string): Power {
    return this.bwrap ? (this.machines.get(id)?.power ?? "off") : "on";
  }

  /** Opens or closes the way to sshd. */
  setSsh(record: InstanceRecord, open: boolean): void {
    const machine = this.machines.get(record.id);
    machine?.relay.setOpen(open && machine.power === "on");
  }

  /** Resets every SSH connection of an instance. Returns how many. */
  dropConnections(id: string): number {
    return this.machines.get(id)?.relay.dropAll() ?? 0;
  }

  /** Puts the record's overlay files into the running instance. */
  async layOverlay(record: InstanceRecord): Promise<void> {
    await this.machines.get(record.id)?.layOverlay();
  }

  /** Brings the network between the machines to what the state says. */
  refreshNetwork(): void {
    this.router?.refresh();
  }

  /** Ends the machine and erases its disk. */
  erase(id: string): void {
    const machine = this.machines.get(id);
    this.machines.delete(id);
    if (this.folder) this.remove(this.instanceFolder(id), machine?.powerOff());
  }

  /** Erases what nobody has any more: disks left by a crash between a termination and its end, and unfinished erasures. */
  eraseStrays(): void {
    if (!this.folder) return;
    const known = new Set(this.state.instances.filter((i) => i.status !== "terminated").map((i) => i.id));
    const parent = path.join(this.folder, "instances");
    const there = fs.existsSync(parent) ? fs.readdirSync(parent) : [];
    for (const id of there) if (!known.has(id)) this.erase(id);
    this.eraser?.resume();
  }

  /** Folder of a file system; made if it is not there. */
  fileSystemFolder(id: string): string | undefined {
    if (!this.folder) return undefined;
    const folder = path.join(this.folder, "filesystems", id);
    if (!fs.existsSync(folder)) {
      fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
      if (isRoot()) fs.chownSync(folder, guestUser, guestUser);
    }
    return folder;
  }

  /** How much a file system held when it was last counted. */
  fileSystemBytes(id: string): number | undefined {
    const folder = this.fileSystemFolder(id);
    return folder === undefined ? undefined : this.usedBytes.of(folder);
  }

  /** Erases a file system with all that is on it. */
  eraseFileSystem(id: string): void {
    if (this.folder) this.remove(path.join(this.folder, "filesystems", id));
  }

  /** Takes the power from all machines; disks stay. Resolves when every process has ended, also that which erases. */
  async close(): Promise<void> {
    for (const id of this.machines.keys()) this.powerOff(id);
    await Promise.all(this.endings);
    await this.eraser?.close();
  }

  /** Removes a folder, once what uses it has ended. */
  private remove(folder: string, after: Promise<void> = Promise.resolve()): void {
    this.await(after.then(() => this.eraser?.take(folder)));
  }

  private await(ending: Promise<void>): void {
    this.endings.add(ending);
    ending.finally(() => this.endings.delete(ending));
  }

  private instanceFolder(id: string): string {
    return path.join(this.folder as string, "instances", id);
  }

  private machine(record: InstanceRecord, bwrap: string): Machine {
    const known = this.machines.get(record.id);
    if (known) return known;
    const { id } = record;
    const machine = new Machine(
      bwrap,
      {
        id,
        folder: this.makeInstanceFolder(id),
        hostname: hostnameOf(record),
        imageFamily: record.image.family,
        privateIp: record.privateIp,
        authorizedKeys: record.authorizedKeys,
        mounts: record.mounts.map(({ fileSystemId, mountPoint }) => ({
          folder: this.fileSystemFolder(fileSystemId) as string,
          mountPoint,
        })),
        attachment: this.router?.attachment(record.ip) ?? sharedAttachment(record.ip),
        relay: {
          address: record.ip,
          port: this.state.network.sshPort,
          admits: (source) => isAdmitted(this.state, record, this.seenAs(source), guestSshPort),
          faults: () => linkFaultsOf(this.state, record),
        },
        troubles: () => ({
          wrongHostKey: troubleOf(this.state, id, "wrong-host-key") !== undefined,
          homeBytes: troubleOf(this.state, id, "small-disk")?.bytes,
          machine: troubleOf(this.state, id, "machine")?.machine,
        }),
        overlay: () => record.overlay,
        erasure: this.eraser as Eraser,
      },
      this.log,
    );
    this.machines.set(id, machine);
    return machine;
  }

  /** The address at which the cloud sees this machine, where that is who calls. */
  private seenAs(source: string): string {
    return source === "127.0.0.1" ? this.state.settings.caller.address : source;
  }

  private makeInstanceFolder(id: string): string {
    const folder = this.instanceFolder(id);
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }
}
