import type { CloudState, InstanceRecord } from "../state/model";
import type { InstanceMatch, InstanceTrouble, LinkFault } from "./model";

const matches = (match: InstanceMatch, record: InstanceRecord): boolean =>
  (match.instanceId === undefined || match.instanceId === record.id) &&
  (match.name === undefined || match.name === record.name);

/** Binds faults to an instance: those of its id or name, and at its launch those for the next instances. */
export function bindFaults(state: CloudState, record: InstanceRecord, isLaunch: boolean): void {
  for (const fault of state.instanceFaults) {
    const isForNext = fault.match.instanceId === undefined && fault.match.name === undefined;
    if (isForNext && !isLaunch) continue;
    if (fault.boundTo.includes(record.id) || fault.boundTo.length >= (fault.times ?? Number.POSITIVE_INFINITY))
      continue;
    if (matches(fault.match, record)) fault.boundTo.push(record.id);
  }
}

/** The trouble of one kind that an instance has, if any. */
export function troubleOf<K extends InstanceTrouble["kind"]>(
  state: CloudState,
  instanceId: string,
  kind: K,
): Extract<InstanceTrouble, { kind: K }> | undefined {
  const fault = state.instanceFaults.find((f) => f.trouble.kind === kind && f.boundTo.includes(instanceId));
  return fault?.trouble as Extract<InstanceTrouble, { kind: K }> | undefined;
}

/** The faults on an instance's connections. */
export const linkFaultsOf = (state: CloudState, record: InstanceRecord): LinkFault[] =>
  state.linkFaults.filter((fault) => matches(fault.match, record));
