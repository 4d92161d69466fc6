/** What the emulated cloud remembers. Plain data, one JSON file. Times are milliseconds since the Unix epoch. */

import type { ApiFault, InstanceFault, LinkFault } from "../faults/model";
import type { Settings } from "../settings";

/** `status` of an instance, as Lambda's API names them. */
export type InstanceStatus = "booting" | "active" | "unhealthy" | "terminating" | "terminated" | "preempted";

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** A file system on an instance: which, and where in the instance. */
export interface Mount {
  readonly fileSystemId: string;
  readonly mountPoint: string;
}

export interface InstanceRecord {
  readonly id: string;
  name?: string;
  status: InstanceStatus;
  readonly instanceType: string;
  /** Price at launch; later price changes do not touch a running instance. */
  readonly priceCentsPerHour: number;
  readonly region: string;
  readonly sshKeyNames: readonly string[];
  /** Public keys behind those names at launch, one OpenSSH line each: deleting a key later changes nothing. */
  readonly authorizedKeys: readonly string[];
  readonly mounts: readonly Mount[];
  readonly image: { readonly id: string; readonly family: string };
  readonly hostname?: string;
  tags: Tag[];
  readonly rulesetIds: readonly string[];
  /** Public address. Known here from the launch on; shown by the API when `ipVisible`. */
  readonly ip: string;
  readonly privateIp: string;
  ipVisible: boolean;
  readonly jupyterToken: string;
  readonly launchedAt: number;
  /** When it first became active: billing starts here. */
  firstHealthyAt?: number;
  terminatingAt?: number;
  terminatedAt?: number;
  /** Set while a restart is going on. */
  restartingAt?: number;
  /** Files put over the instance's own (absolute path → file), by the admin surface. */
  overlay: Record<string, OverlayFile>;
}

export interface OverlayFile {
  /** Content as base64. */
  readonly content: string;
  /** Octal permission bits, such as `0755`. */
  readonly mode: string;
}

export interface SshKeyRecord {
  readonly id: string;
  readonly name: string;
  /** As the caller gave it. */
  readonly publicKey: string;
}

export interface FileSystemRecord {
  readonly id: string;
  readonly name: string;
  readonly region: string;
  readonly createdAt: number;
}

export interface FirewallRule {
  readonly protocol: "tcp" | "udp" | "icmp" | "all";
  readonly port_range?: readonly [number, number];
  readonly source_network: string;
  readonly description: string;
}

export interface RulesetRecord {
  readonly id: string;
  name: string;
  readonly region: string;
  rules: FirewallRule[];
  readonly createdAt: number;
}

/**
 * Work of Lambda's on the hosts of instances, as `GET /maintenance_events` tells of it. Status and urgency are the values
 * that were seen; what makes one follow the other is inferred.
 */
export interface MaintenanceRecord {
  readonly id: string;
  readonly instanceIds: readonly string[];
  readonly detail: string;
  readonly urgency: "emergency" | "critical_with_deadline";
  status: "scheduled" | "in_progress" | "completed" | "canceled";
  /** When it begins. Absent in an emergency: it may begin at any moment. */
  notBefore?: number;
  /** The latest time to which it can be moved. */
  readonly notBeforeDeadline?: number;
  /** When it is over. */
  readonly notAfter?: number;
  lastUpdated: number;
}

/** What one instance cost: from first healthy until it was told to end. */
export interface LedgerEntry {
  readonly instanceId: string;
  readonly name?: string;
  readonly instanceType: string;
  readonly region: string;
  readonly priceCentsPerHour: number;
  readonly from: number;
  to?: number;
}

export interface AuditRecord {
  readonly id: string;
  readonly at: number;
  readonly resource: string;
  readonly action: string;
  readonly resourceIds: readonly string[];
  readonly apiKeyId?: string;
  readonly clientIp?: string;
  readonly userAgent?: string;
  readonly statusCode: number;
  readonly details: Record<string, unknown>;
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  /** Secret. */
  readonly key: string;
}

/** Capacity of one instance type in one region. */
export interface Capacity {
  /** How many more instances are granted; `null`: any number. */
  free: number | null;
  /** Whether the region is listed as having capacity; `auto`: it is while `free` is not 0. */
  listed: boolean | "auto";
}

/** Where the instances' addresses are. */
export interface Network {
  /** First three numbers of the public addresses, such as `127.77.3`. */
  readonly subnet: string;
  /** The same for private addresses. */
  readonly privateSubnet: string;
  /** Port on which instances' sshd is reached. */
  readonly sshPort: number;
  /** Last number of the address given out last: addresses are not reused soon. */
  last: number;
}

export interface CloudState {
  readonly version: 1;
  settings: Settings;
  network: Network;
  /** Port of the API in the last run, taken again if it is free. */
  apiPort?: number;
  apiKeys: ApiKeyRecord[];
  instances: InstanceRecord[];
  sshKeys: SshKeyRecord[];
  fileSystems: FileSystemRecord[];
  globalRules: FirewallRule[];
  rulesets: RulesetRecord[];
  maintenance: MaintenanceRecord[];
  ledger: LedgerEntry[];
  audit: AuditRecord[];
  /** By `type@region`; what is not here has the capacity of the catalog. */
  capacity: Record<string, Capacity>;
  /** Cents per hour by instance type, over the catalog's. */
  prices: Record<string, number>;
  apiFaults: ApiFault[];
  instanceFaults: InstanceFault[];
  linkFaults: LinkFault[];
}
