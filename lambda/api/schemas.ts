import { z } from "zod";

/*
 * The API's answers as we read them. Fields that nothing here needs are dropped (new ones appear unannounced), and so
 * are jupyter_token and jupyter_url, which are secrets. Optional fields may be absent, null or "".
 */

const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);

/** A time of the API (with microseconds, or in another zone) as ISO 8601 in UTC; undefined where it is none. */
function isoTime(value: string | undefined): string | undefined {
  const time = Date.parse(value ?? "");
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

const region = z.object({ name: z.string(), description: text });

const instanceType = z
  .object({
    name: z.string(),
    price_cents_per_hour: number,
    specs: z.object({ gpus: number }).nullish(),
    architecture: text,
  })
  .transform((type) => ({
    name: type.name,
    priceCentsPerHour: type.price_cents_per_hour,
    gpus: type.specs?.gpus,
    architecture: type.architecture ?? architectureByName(type.name),
  }));

/** Specs before late 2026 lack the architecture; all types but the Grace ones were x86_64. */
function architectureByName(name: string): string {
  return /(^|_)gh\d|(^|_)gb\d/.test(name) ? "arm64" : "x86_64";
}

const instance = z
  .object({
    id: z.string().min(1),
    name: text,
    ip: text,
    private_ip: text,
    status: z.string(),
    ssh_key_names: list(z.string()),
    file_system_names: list(z.string()),
    region: region.nullish(),
    instance_type: instanceType.nullish(),
    image: z.object({ family: text }).nullish(),
    hostname: text,
    tags: list(z.object({ key: z.string(), value: z.string() })),
    first_healthy: text,
    firewall_rulesets: list(z.object({ id: z.string() })),
  })
  .transform((raw) => ({
    id: raw.id,
    name: raw.name,
    ip: raw.ip,
    privateIp: raw.private_ip,
    status: raw.status,
    sshKeyNames: raw.ssh_key_names,
    fileSystemNames: raw.file_system_names,
    region: raw.region?.name,
    instanceType: raw.instance_type ?? undefined,
    imageFamily: raw.image?.family,
    hostname: raw.hostname,
    tags: Object.fromEntries(raw.tags.map(({ key, value }) => [key, value])) as Readonly<Record<string, string>>,
    rulesetIds: raw.firewall_rulesets.map(({ id }) => id),
    firstHealthyAt: isoTime(raw.first_healthy),
  }));

const offer = z
  .object({ instance_type: instanceType, regions_with_capacity_available: list(region) })
  .transform((raw) => ({
    type: raw.instance_type,
    regionsWithCapacity: raw.regions_with_capacity_available.map(({ name }) => name),
  }));

const sshKey = z
  .object({ id: z.string().min(1), name: z.string(), public_key: z.string() })
  .transform((raw) => ({ id: raw.id, name: raw.name, publicKey: raw.public_key }));

const fileSystem = z
  .object({
    id: z.string().min(1),
    name: z.string(),
    mount_point: text,
    region: region.nullish(),
    bytes_used: z.number().nonnegative().nullish(),
  })
  .transform((raw) => ({
    id: raw.id,
    name: raw.name,
    ...(typeof raw.bytes_used === "number" && { bytesUsed: raw.bytes_used }),
    mountPoint: raw.mount_point ?? `/lambda/nfs/${raw.name}`,
    region: raw.region?.name,
  }));

const image = z.object({ family: text, architecture: text });

const rule = z
  .object({
    protocol: z.string(),
    port_range: z.array(z.number()).nullish(),
    source_network: z.string(),
    description: text,
  })
  .transform((raw) => ({
    protocol: raw.protocol,
    ...(raw.port_range?.length === 2 ? { portRange: raw.port_range as [number, number] } : {}),
    sourceNetwork: raw.source_network,
    description: raw.description ?? "",
  }));

const ruleset = z
  .object({
    id: z.string().min(1),
    name: text,
    region: region.nullish(),
    rules: list(rule),
    instance_ids: list(z.string()),
    created: text,
  })
  .transform((raw) => ({
    id: raw.id,
    name: raw.name ?? "",
    region: raw.region?.name,
    rules: raw.rules,
    instanceIds: raw.instance_ids,
    createdAt: raw.created,
  }));

const auditEvent = z
  .object({ action: text, event_time: text, resource_lrns: list(z.string()) })
  .transform((raw) => ({ action: raw.action ?? "", at: isoTime(raw.event_time), resources: raw.resource_lrns }));

/** The events stand in `data` or in `data.events`, and so does the token of the next page: both were seen. */
const auditPage = z
  .object({
    data: z.union([z.array(auditEvent), z.object({ events: list(auditEvent), page_token: text })]),
    page_token: text,
  })
  .transform(({ data, page_token }) => ({
    events: Array.isArray(data) ? data : data.events,
    next: page_token ?? (Array.isArray(data) ? undefined : data.page_token),
  }));

/** Ids of instances among resource names such as `lrn:cloud:instance:<id>`. */
function instancesIn(lrns: readonly string[]): string[] {
  return lrns.flatMap((lrn) => /(?:^|:)instance:([^:]+)/.exec(lrn)?.[1]?.replaceAll("-", "") ?? []);
}

const maintenanceEvent = z
  .object({
    id: z.string().min(1),
    entity_lrns: list(z.string()),
    status: text,
    urgency: text,
    detail: text,
    not_before: text,
    not_before_deadline: text,
    not_after: text,
  })
  .transform((raw) => ({
    id: raw.id,
    instanceIds: instancesIn(raw.entity_lrns),
    // Unknown words may come: what is not over counts as announced.
    status: raw.status ?? "scheduled",
    urgency: raw.urgency,
    detail: raw.detail,
    notBefore: isoTime(raw.not_before),
    notBeforeDeadline: isoTime(raw.not_before_deadline),
    notAfter: isoTime(raw.not_after),
  }));

/**
 * As NVIDIA's NVSentinel reads it (its csp-health-monitor, August 2026); Lambda's published document lacks the call.
 * Unlike that of audit events, the token of the next page stands in `data`.
 */
const maintenancePage = z
  .object({ maintenance_events: list(maintenanceEvent), page_token: text })
  .transform(({ maintenance_events: events, page_token: next }) => ({ events, next }));

const nothing = z.unknown().transform(() => undefined);

/** Readers of the `data` of each answer. */
export const answers = {
  instance,
  instances: z.array(instance),
  launched: z
    .object({ instance_ids: z.array(z.string().min(1)).length(1) })
    .transform((raw) => raw.instance_ids.join()),
  terminated: z.object({ terminated_instances: list(instance) }).transform((raw) => raw.terminated_instances),
  offers: z.record(z.string(), offer).transform((raw) => Object.values(raw)),
  sshKey,
  sshKeys: z.array(sshKey),
  fileSystem,
  fileSystems: z.array(fileSystem),
  images: z.array(image),
  regions: z.array(region),
  ruleset,
  rulesets: z.array(ruleset),
  auditPage,
  maintenancePage,
  nothing,
};

/** The API's error envelope. */
export const errorEnvelope = z.object({
  error: z.object({ code: z.string(), message: text, suggestion: text, request_id: text }),
});

/**
 * A VM. Without its jupyter token, which is dropped where the answer is read. `firstHealthyAt` (ISO 8601 in UTC), from
 * which on it is billed, is absent before, and from answers of an API that does not tell it.
 */
export type Instance = z.infer<typeof instance>;
/** An instance type as listed: price in US cents per hour for the whole instance. */
export type InstanceType = z.infer<typeof instanceType>;
/** An instance type and the regions that claim to have it free now. Advisory: launches there may still be refused. */
export type Offer = z.infer<typeof offer>;
export type Region = z.infer<typeof region>;
export type SshKey = z.infer<typeof sshKey>;
export type FileSystem = z.infer<typeof fileSystem>;
export type Image = z.infer<typeof image>;
/** One page of what was done in the account. `at`: ISO 8601 in UTC. */
export type AuditPage = z.infer<typeof auditPage>;
/** Work of Lambda's on the hosts of instances. Times: ISO 8601 in UTC. */
export type MaintenanceEvent = z.infer<typeof maintenanceEvent>;
export type MaintenancePage = z.infer<typeof maintenancePage>;
export type FirewallRule = z.infer<typeof rule>;
export type FirewallRuleset = z.infer<typeof ruleset>;

/** Statuses of an instance that is gone or on its way: not billed, never coming back. */
export function isEnding(status: string): boolean {
  return status === "terminating" || status === "terminated" || status === "preempted";
}
