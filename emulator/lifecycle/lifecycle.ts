import type { Inventory } from "../catalog/inventory";
import { troubleOf } from "../faults/instances";
import type { Machines } from "../sandbox/machines";
import { recordAudit } from "../state/audit";
import type { CloudState, InstanceRecord } from "../state/model";
import type { Store } from "../state/store";
import { bootSeconds, cloudSecondsSince, ipShare } from "./durations";
import { advanceMaintenance } from "./maintenance";

/**
 * Moves instances through their states as time passes, and keeps each machine as its state wants it. Durations are
 * reckoned with the present time scale, so a change of it takes hold of what is under way.
 */
export class Lifecycle {
  private readonly state: CloudState;

  constructor(
    private readonly store: Store,
    private readonly inventory: Inventory,
    private readonly machines: Machines,
    private readonly now: () => number,
  ) {
    this.state = store.state;
  }

  /** Brings every instance to where it should be by now. */
  advance(): void {
    let changed = false;
    for (const record of [...this.state.instances]) {
      const before = momentOf(record);
      this.step(record);
      changed ||= before !== momentOf(record);
    }
    const left = this.state.instances.filter((record) => !this.isForgotten(record));
    if (left.length < this.state.instances.length) {
      this.state.instances = left;
      changed = true;
    }
    changed = advanceMaintenance(this.state, this.now(), (record) => this.powerCycle(record)) || changed;
    this.machines.refreshNetwork();
    this.store.settle(changed);
  }

  /** Ends an instance: billing stops now, the machine loses power now, the disk is erased. */
  terminate(record: InstanceRecord): void {
    record.status = "terminating";
    record.terminatingAt = this.now();
    delete record.restartingAt;
    this.closeLedger(record);
    this.machines.powerOff(record.id);
  }

  /** Ends an instance as somebody else would: the account's events tell of it, without a key. */
  terminateFromOutside(record: InstanceRecord): void {
    this.terminate(record);
    this.tellOfEnd(record, "terminated");
  }

  /** Reboots an instance's machine; its disk stays. */
  restart(record: InstanceRecord): void {
    record.restartingAt = this.now();
    this.machines.reboot(record);
  }

  /** Takes the power from an instance's machine and gives it back; its disk stays. */
  powerCycle(record: InstanceRecord): void {
    record.restartingAt = this.now();
    this.machines.powerCycle(record);
  }

  private step(record: InstanceRecord): void {
    const { settings } = this.state;
    const since = (time: number) => cloudSecondsSince(settings, time, this.now());
    switch (record.status) {
      case "booting":
        this.boot(record, since(record.launchedAt));
        break;
      case "active":
      case "unhealthy":
        this.live(record, since);
        break;
      case "terminating":
        if (since(record.terminatingAt ?? 0) >= settings.seconds.terminating) {
          record.status = "terminated";
          record.terminatedAt = this.now();
          this.inventory.giveBack(record.instanceType, record.region);
          this.machines.erase(record.id);
        }
        break;
      case "terminated":
      case "preempted":
        break;
    }
  }

  /** Whether an instance ended so long ago that the API no longer shows it. */
  private isForgotten({ status, terminatedAt = 0 }: InstanceRecord): boolean {
    if (status !== "terminated" && status !== "preempted") return false;
    const { settings } = this.state;
    return cloudSecondsSince(settings, terminatedAt, this.now()) >= settings.seconds.terminated;
  }

  private boot(record: InstanceRecord, elapsed: number): void {
    const total = bootSeconds(this.state.settings, record);
    this.machines.powerOn(record);
    record.ipVisible = elapsed >= total * ipShare && !troubleOf(this.state, record.id, "no-ip");
    if (elapsed < total || troubleOf(this.state, record.id, "stuck-booting")) return;
    const power = this.machines.power(record.id);
    if (power === "starting") return;
    record.status = power === "failed" || troubleOf(this.state, record.id, "unhealthy") ? "unhealthy" : "active";
    // Lambda bills an unhealthy instance too, so it counts from here in either case.
    record.firstHealthyAt = this.now();
    const { id, name, instanceType, region, priceCentsPerHour, firstHealthyAt } = record;
    this.state.ledger.push({ instanceId: id, name, instanceType, region, priceCentsPerHour, from: firstHealthyAt });
  }

  private live(record: InstanceRecord, since: (time: number) => number): void {
    const { seconds } = this.state.settings;
    const upSince = record.firstHealthyAt ?? record.launchedAt;
    this.machines.powerOn(record);

    const preempted = troubleOf(this.state, record.id, "preempted");
    if (preempted && since(upSince) >= (preempted.afterSeconds ?? 0)) {
      this.preempt(record);
      return;
    }
    const terminated = troubleOf(this.state, record.id, "terminated");
    if (terminated && since(upSince) >= (terminated.afterSeconds ?? 0)) {
      this.terminateFromOutside(record);
      return;
    }

    if (record.restartingAt !== undefined && since(record.restartingAt) >= seconds.restart) delete record.restartingAt;
    const isFailing = this.machines.power(record.id) === "failed" || troubleOf(this.state, record.id, "unhealthy");
    record.status = isFailing ? "unhealthy" : "active";
    record.ipVisible = !troubleOf(this.state, record.id, "no-ip");

    const lag = troubleOf(this.state, record.id, "ssh-late")?.seconds ?? seconds.sshLag;
    this.machines.setSsh(record, record.restartingAt === undefined && since(upSince) >= lag);
  }

  private preempt(record: InstanceRecord): void {
    record.status = "preempted";
    record.terminatedAt = this.now();
    this.closeLedger(record);
    this.tellOfEnd(record, "preempted");
    this.inventory.giveBack(record.instanceType, record.region);
    this.machines.powerOff(record.id);
    this.machines.erase(record.id);
  }

  private tellOfEnd({ id, terminatingAt, terminatedAt }: InstanceRecord, action: "terminated" | "preempted"): void {
    const at = terminatingAt ?? terminatedAt ?? this.now();
    recordAudit(this.state, { at, resource: "instance", action, resourceIds: [id], statusCode: 200, details: {} });
  }

  private closeLedger(record: InstanceRecord): void {
    const entry = this.state.ledger.find((e) => e.instanceId === record.id && e.to === undefined);
    if (entry) entry.to = record.terminatingAt ?? record.terminatedAt ?? this.now();
  }
}

/** What the passing of time changes in a record. */
const momentOf = (record: InstanceRecord): string =>
  [record.status, record.ipVisible, record.firstHealthyAt, record.terminatedAt, record.restartingAt].join();
