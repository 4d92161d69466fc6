import { list, ref, type Schema, text } from "./schema";

export type Method = "get" | "post" | "put" | "patch" | "delete";

interface Described<Id extends string> {
  readonly id: Id;
  readonly method: Method;
  /** Below `/api/v1`, with `{id}` for the one path parameter there is. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly body?: Schema;
  readonly query?: Readonly<Record<string, Schema>>;
  readonly data: Schema;
  /** Codes by status, beside those that every operation has. */
  readonly errors: Readonly<Record<number, readonly string[]>>;
}

const invalid = "global/invalid-parameters";
const missing = "global/object-does-not-exist";
const notFound = "global/not-found";
const quota = "global/quota-exceeded";

const op = <Id extends string>(
  tag: string,
  id: Id,
  method: Method,
  path: string,
  summary: string,
  rest: Pick<Described<Id>, "body" | "query" | "data" | "errors">,
): Described<Id> => ({ id, method, path, summary, tag, ...rest });

/** Errors of most reads. */
const read = { 400: [invalid], 404: [notFound, missing] };
const launchErrors = {
  400: [
    "instance-operations/launch/insufficient-capacity",
    "instance-operations/launch/file-system-in-wrong-region",
    invalid,
    missing,
    quota,
  ],
  403: ["global/invalid-address"],
  404: [missing],
};
const rulesetErrors = { 400: [invalid], 404: [missing], 409: ["global/internal-error"] };

const all = [
  op("Instances", "listInstances", "get", "/instances", "List instances", {
    query: { cluster_id: text({ description: "Only instances of this cluster." }) },
    data: list(ref("Instance")),
    errors: { ...read, 403: ["global/forbidden"] },
  }),
  op("Instances", "getInstance", "get", "/instances/{id}", "Read an instance", {
    data: ref("Instance"),
    errors: { ...read, 403: ["global/forbidden"] },
  }),
  op("Instances", "updateInstance", "post", "/instances/{id}", "Change name or tags of an instance", {
    body: ref("InstanceUpdateRequest"),
    data: ref("Instance"),
    errors: read,
  }),
  op("Instances", "listInstanceTypes", "get", "/instance-types", "List instance types, prices and capacity", {
    data: { type: "object", additionalProperties: ref("InstanceTypeEntry") },
    errors: read,
  }),
  op("Instances", "launchInstance", "post", "/instance-operations/launch", "Launch an instance", {
    body: ref("LaunchRequest"),
    data: ref("LaunchResult"),
    errors: launchErrors,
  }),
  op("Instances", "restartInstance", "post", "/instance-operations/restart", "Restart instances", {
    body: ref("RestartRequest"),
    data: ref("RestartResult"),
    errors: { 400: [invalid], 404: [missing], 409: ["global/conflict"] },
  }),
  op("Instances", "powerCycleInstance", "post", "/instance-operations/power-cycle", "Power-cycle instances", {
    body: ref("PowerCycleRequest"),
    data: ref("PowerCycleResult"),
    errors: { 400: [invalid], 404: [missing], 409: ["global/conflict"] },
  }),
  op("Instances", "listMaintenanceEvents", "get", "/maintenance_events", "List maintenance of instances' hosts", {
    query: { page_token: text({ description: "From the page before." }) },
    data: ref("MaintenanceEventPage"),
    errors: read,
  }),
  op("Instances", "terminateInstance", "post", "/instance-operations/terminate", "Terminate instances", {
    body: ref("TerminateRequest"),
    data: ref("TerminateResult"),
    // 500 is not declared by Lambda, but was seen when an instance was terminated twice.
    errors: { 400: [invalid], 404: [missing], 500: ["global/unknown"] },
  }),
  op("SSH keys", "listSSHKeys", "get", "/ssh-keys", "List SSH keys", { data: list(ref("SSHKey")), errors: read }),
  op("SSH keys", "addSSHKey", "post", "/ssh-keys", "Add an SSH key, or have one made", {
    body: ref("SSHKeyRequest"),
    data: { anyOf: [ref("GeneratedSSHKey"), ref("SSHKey")] },
    errors: { 400: [invalid, quota], 404: [notFound] },
  }),
  op("SSH keys", "deleteSSHKey", "delete", "/ssh-keys/{id}", "Delete an SSH key", {
    data: ref("Empty"),
    errors: { 400: [invalid], 404: [notFound] },
  }),
  op("Filesystems", "listFilesystems", "get", "/file-systems", "List filesystems", {
    data: list(ref("Filesystem")),
    errors: read,
  }),
  op("Filesystems", "createFilesystem", "post", "/filesystems", "Create a filesystem", {
    body: ref("FilesystemRequest"),
    data: ref("Filesystem"),
    errors: { 400: ["global/duplicate", quota, invalid], 403: ["global/invalid-address"] },
  }),
  op("Filesystems", "deleteFilesystem", "delete", "/filesystems/{id}", "Delete a filesystem", {
    data: ref("FilesystemDeleteResult"),
    errors: { 400: ["filesystems/filesystem-in-use", invalid], 404: [missing] },
  }),
  op("Images", "listImages", "get", "/images", "List images, one row per region", {
    data: list(ref("Image")),
    errors: read,
  }),
  op("Regions", "listRegions", "get", "/regions", "List regions", {
    data: list(ref("Region")),
    errors: { 404: [notFound] },
  }),
  op("Firewalls", "listFirewallRules", "get", "/firewall-rules", "List global inbound rules", {
    data: list(ref("FirewallRule")),
    errors: { 404: [notFound] },
  }),
  op("Firewalls", "setFirewallRules", "put", "/firewall-rules", "Replace global inbound rules", {
    body: ref("FirewallRulesRequest"),
    data: list(ref("FirewallRule")),
    errors: { 400: [invalid], 404: [notFound] },
  }),
  op("Firewalls", "listFirewallRulesets", "get", "/firewall-rulesets", "List firewall rulesets", {
    data: list(ref("FirewallRuleset")),
    errors: read,
  }),
  op("Firewalls", "createFirewallRuleset", "post", "/firewall-rulesets", "Create a firewall ruleset", {
    body: ref("FirewallRulesetRequest"),
    data: ref("FirewallRuleset"),
    errors: { 400: [quota, invalid], 409: ["global/internal-error"] },
  }),
  op(
    "Firewalls",
    "getGlobalFirewallRuleset",
    "get",
    "/firewall-rulesets/global",
    "Read the global rules as a ruleset",
    {
      data: ref("GlobalFirewallRuleset"),
      errors: read,
    },
  ),
  op("Firewalls", "updateGlobalFirewallRuleset", "patch", "/firewall-rulesets/global", "Replace the global rules", {
    body: ref("GlobalFirewallRulesetRequest"),
    data: ref("GlobalFirewallRuleset"),
    errors: rulesetErrors,
  }),
  op("Firewalls", "getFirewallRuleset", "get", "/firewall-rulesets/{id}", "Read a firewall ruleset", {
    data: ref("FirewallRuleset"),
    errors: { 400: [invalid], 404: [missing] },
  }),
  op("Firewalls", "updateFirewallRuleset", "patch", "/firewall-rulesets/{id}", "Change a firewall ruleset", {
    body: ref("FirewallRulesetUpdateRequest"),
    data: ref("FirewallRuleset"),
    errors: rulesetErrors,
  }),
  op("Firewalls", "deleteFirewallRuleset", "delete", "/firewall-rulesets/{id}", "Delete a firewall ruleset", {
    data: ref("Empty"),
    errors: {
      400: ["firewall-rulesets/firewall-ruleset-in-use", invalid],
      404: [missing],
      409: ["global/internal-error"],
    },
  }),
  op("Audit events", "getAuditEvents", "get", "/audit-events", "List audit events", {
    query: {
      start: text({ format: "date-time", description: "First time, inclusive." }),
      end: text({ format: "date-time", description: "Last time, inclusive." }),
      page_token: text({ description: "From the page before." }),
      resource_type: text({ description: "Such as `cloud.instance`." }),
    },
    data: list(ref("AuditEvent")),
    errors: read,
  }),
];

/** Names of the API's operations. */
export type OperationId = (typeof all)[number]["id"];

export type Operation = Described<OperationId>;

/** The 27 operations of the API: the 25 of its document (support tickets are left out), and two that it has grown since. */
export const operations: readonly Operation[] = all;
