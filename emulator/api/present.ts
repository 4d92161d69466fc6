import { findInstanceType, type InstanceType } from "../catalog/instance-types";
import { findRegion, type Region } from "../catalog/regions";
import type { CloudState, FileSystemRecord, InstanceRecord, RulesetRecord } from "../state/model";
import { isoTime } from "../state/time";
import { doesNotExist } from "./errors";

/** How records look to callers of the API. Optional fields that have no value are absent, never null. */

const actionNames = ["migrate", "rebuild", "restart", "cold_reboot", "power_cycle", "terminate"] as const;
type Action = { available: boolean; reason_code?: string; reason_description?: string };

function actionsOf(record: InstanceRecord, terminateWhileBooting: boolean): Record<string, Action> {
  const reasonFor = (name: string): string | undefined => {
    if (record.status === "terminating" || record.status === "terminated") return "vm-is-terminating";
    if (record.status === "booting")
      return name === "terminate" && terminateWhileBooting ? undefined : "vm-has-not-launched";
    if (record.restartingAt !== undefined && name !== "terminate") return "vm-action-in-progress";
    return undefined;
  };
  const action = (name: string): Action => {
    const reason = reasonFor(name);
    return reason
      ? { available: false, reason_code: reason, reason_description: descriptions[reason] }
      : { available: true };
  };
  return Object.fromEntries(actionNames.map((name) => [name, action(name)]));
}

const descriptions: Record<string, string> = {
  "vm-is-terminating": "Virtual machine is terminating.",
  "vm-has-not-launched": "Virtual machine has not finished launching.",
  "vm-action-in-progress": "Another action is in progress on this virtual machine.",
};

const regionOf = (name: string): Region => findRegion(name) ?? { name, description: name };

export function presentInstance(state: CloudState, record: InstanceRecord) {
  const isUp = record.status === "active" || record.status === "unhealthy";
  const isGone = record.status === "terminated" || record.status === "preempted";
  const type: InstanceType = {
    ...(findInstanceType(record.instanceType) as InstanceType),
    price_cents_per_hour: record.priceCentsPerHour,
  };
  const nameOf = (id: string) => state.fileSystems.find((fs) => fs.id === id)?.name ?? id;
  return {
    id: record.id,
    ...(record.name !== undefined && { name: record.name }),
    ...(record.ipVisible && !isGone && { ip: record.ip, private_ip: record.privateIp }),
    status: record.status,
    ssh_key_names: record.sshKeyNames,
    file_system_names: record.mounts.map((mount) => nameOf(mount.fileSystemId)),
    ...(record.mounts.length > 0 && {
      file_system_mounts: record.mounts.map((m) => ({ mount_point: m.mountPoint, file_system_id: m.fileSystemId })),
    }),
    region: regionOf(record.region),
    instance_type: type,
    ...(!isGone && { image: record.image }),
    ...(record.ipVisible && !isGone && { hostname: hostnameOf(record) }),
    ...(isUp && { jupyter_token: record.jupyterToken, jupyter_url: jupyterUrl(record) }),
    ...(record.firstHealthyAt !== undefined && { first_healthy: isoTime(record.firstHealthyAt) }),
    actions: actionsOf(record, state.settings.quirks.terminateWhileBooting),
    tags: record.tags,
    firewall_rulesets: record.rulesetIds.map((id) => ({ id })),
  };
}

/** Host name of an instance: as asked for, else its address with dashes. */
export const hostnameOf = (record: InstanceRecord): string => record.hostname ?? record.ip.replaceAll(".", "-");

const jupyterUrl = ({ id, jupyterToken }: InstanceRecord) =>
  `https://jupyter-${id}.lambdaspaces.com/?token=${jupyterToken}`;

/** Instances that the list shows: a terminated one can be read by id alone. */
export const listed = (state: CloudState): InstanceRecord[] =>
  state.instances.filter((instance) => instance.status !== "terminated");

/** Instances that hold what they were launched with: an address, file systems, rulesets, a place in the quota. */
export const holding = (state: CloudState): InstanceRecord[] =>
  listed(state).filter((instance) => instance.status !== "preempted");

/** The instance with this id. @throws ApiError 404 */
export function findInstance(state: CloudState, id: string): InstanceRecord {
  const record = state.instances.find((instance) => instance.id === id);
  if (!record) throw doesNotExist("Specified instance does not exist.");
  return record;
}

/** Default mount point of a file system. */
export const defaultMountPoint = (name: string): string => `/lambda/nfs/${name}`;

/** @param bytesUsed As last counted; undefined where it was not yet. */
export function presentFileSystem(state: CloudState, record: FileSystemRecord, bytesUsed?: number) {
  const isInUse = holding(state).some((i) => i.mounts.some((mount) => mount.fileSystemId === record.id));
  return {
    id: record.id,
    name: record.name,
    mount_point: defaultMountPoint(record.name),
    created: isoTime(record.createdAt),
    created_by: { id: "0".repeat(31).concat("1"), email: "owner@example.com", status: "active" },
    is_in_use: isInUse,
    region: regionOf(record.region),
    ...(bytesUsed !== undefined && { bytes_used: bytesUsed }),
  };
}

export function presentRuleset(state: CloudState, record: RulesetRecord) {
  return {
    id: record.id,
    name: record.name,
    region: regionOf(record.region),
    rules: record.rules,
    created: isoTime(record.createdAt),
    instance_ids: holding(state)
      .filter((instance) => instance.rulesetIds.includes(record.id))
      .map((instance) => instance.id),
  };
}
