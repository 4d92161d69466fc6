import { list, object, ref, type Schema, text } from "./schema";

const id = text({ description: "32 hexadecimal characters: a UUID without dashes." });
const name64 = text({ minLength: 0, maxLength: 64 });
const tag = object({
  key: text({ maxLength: 55, pattern: "^[a-z][a-z0-9-:]+$", description: "Must not start with `lambda-ai-`." }),
  value: text({ maxLength: 128 }),
});
const instanceIds = object({ instance_ids: list(id, { minItems: 1 }) });

/** Bodies that the API takes. */
export const requests: Record<string, Schema> = {
  Tag: tag,
  LaunchRequest: object({
    region_name: text({ description: "A region with capacity for the instance type." }),
    instance_type_name: text(),
    ssh_key_names: list(text(), { minItems: 1, maxItems: 1, description: "Exactly one name of a registered key." }),
    "file_system_names?": list(text(), { description: "Each is mounted at its default mount point." }),
    "file_system_mounts?": list(ref("FileSystemMount"), {
      description: "Wins over file_system_names for the same filesystem.",
    }),
    "hostname?": text({ minLength: 1, maxLength: 63, pattern: "^[a-z0-9][0-9a-z-]{0,62}$" }),
    "name?": name64,
    "image?": {
      oneOf: [object({ id: text() }), object({ family: text() })],
      description: "Either an image id or a family. Default: the newest Lambda Stack.",
    },
    "user_data?": text({ maxLength: 1048576, description: "cloud-init user-data as plain text." }),
    "tags?": list(ref("Tag")),
    "firewall_rulesets?": list(object({ id })),
    "quantity?": {
      type: "integer",
      minimum: 1,
      maximum: 1,
      deprecated: true,
      description: "Left from older versions.",
    },
  }),
  FileSystemMount: object({
    mount_point: text({ maxLength: 256, pattern: "^(/home|/lambda/nfs|/data)[/a-zA-Z0-9-]*$" }),
    file_system_id: id,
  }),
  InstanceUpdateRequest: object({
    "name?": name64,
    "tags?": list(ref("Tag"), { description: "Replaces all tags; omitted, they stay." }),
  }),
  RestartRequest: instanceIds,
  PowerCycleRequest: instanceIds,
  TerminateRequest: instanceIds,
  SSHKeyRequest: object({
    name: text({ minLength: 1, maxLength: 64 }),
    "public_key?": text({
      minLength: 1,
      maxLength: 4096,
      description:
        "OpenSSH, RFC 4716, PKCS8 or PEM. Omitted: the server makes a pair and returns its private key once.",
    }),
  }),
  FilesystemRequest: object({
    name: text({ minLength: 1, maxLength: 60, pattern: "^[a-zA-Z]+[0-9a-zA-Z-]*$" }),
    region: text(),
  }),
  FirewallRulesRequest: object({ data: list(ref("FirewallRule")) }),
  GlobalFirewallRulesetRequest: object({ "rules?": list(ref("FirewallRule")) }),
  FirewallRulesetRequest: object({ name: name64, region: text(), rules: list(ref("FirewallRule")) }),
  FirewallRulesetUpdateRequest: object({ "name?": name64, "rules?": list(ref("FirewallRule")) }),
};
