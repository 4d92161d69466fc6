import type { CloudState, InstanceRecord } from "../state/model";

const isUp = ({ status }: InstanceRecord): boolean => status === "active" || status === "unhealthy";

/**
 * Brings every maintenance event to where it should be by now: it begins with a power cycle of its instances, and is
 * over at its end. One whose instances have all ended is canceled. (All of this is inferred: sources show the statuses
 * alone.)
 *
 * @returns whether one of them has changed
 */
export function advanceMaintenance(
  state: CloudState,
  now: number,
  powerCycle: (record: InstanceRecord) => void,
): boolean {
  let changed = false;
  for (const event of state.maintenance) {
    const before = event.status;
    const living = state.instances.filter((record) => event.instanceIds.includes(record.id) && !hasEnded(record));
    if (isOpen(event.status) && living.length === 0) event.status = "canceled";
    if (event.status === "scheduled" && event.notBefore !== undefined && event.notBefore <= now) {
      event.status = "in_progress";
      for (const record of living.filter(isUp)) powerCycle(record);
    }
    if (event.status === "in_progress" && event.notAfter !== undefined && event.notAfter <= now)
      event.status = "completed";
    if (event.status === before) continue;
    event.lastUpdated = now;
    changed = true;
  }
  return changed;
}

const isOpen = (status: string): boolean => status === "scheduled" || status === "in_progress";

const hasEnded = ({ status }: InstanceRecord): boolean => !["booting", "active", "unhealthy"].includes(status);
