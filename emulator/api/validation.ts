import { isIPv4 } from "node:net";
import type { FastifySchemaValidationError } from "fastify/types/schema";
import { toNumber } from "../network/firewall";
import type { FirewallRule, Tag } from "../state/model";
import { type ApiError, invalidParameters } from "./errors";

/** Where in a request an error is, in the words of the API. */
type Part = "path" | "body" | "query";

const fault = (part: Part, location: string, what: string): ApiError =>
  invalidParameters(`Error in request ${part}${location ? ` at '${location}'` : ""}: ${what}`);

/** The API's error for the first thing that the schema of a body or query found wrong. */
export function fromSchemaErrors(errors: readonly FastifySchemaValidationError[], context: string): ApiError {
  const part: Part = context === "querystring" ? "query" : "body";
  // A failed branch of a `oneOf` comes before the verdict on the whole.
  const first = errors.find((error) => error.keyword === "oneOf") ?? errors[0];
  if (!first) return invalidParameters("Invalid request data.");
  const missing = first.keyword === "required" ? [String(first.params.missingProperty)] : [];
  const location = [...first.instancePath.split("/").filter(Boolean), ...missing].join(".");
  return fault(part, location, explain(first));
}

function explain({ keyword, params, message }: FastifySchemaValidationError): string {
  const limit = Number(params.limit);
  switch (keyword) {
    case "required":
      return "Field required";
    case "type":
      return `Input should be a valid ${typeNames[String(params.type)] ?? params.type}`;
    case "minLength":
      return `String should have at least ${count(limit, "character")}`;
    case "maxLength":
      return `String should have at most ${count(limit, "character")}`;
    case "pattern":
      return `String should match pattern '${params.pattern}'`;
    case "minItems":
      return `List should have at least ${count(limit, "item")} after validation`;
    case "maxItems":
      return `List should have at most ${count(limit, "item")} after validation`;
    case "minimum":
      return `Input should be greater than or equal to ${limit}`;
    case "maximum":
      return `Input should be less than or equal to ${limit}`;
    case "enum":
      return `Input should be one of ${(params.allowedValues as unknown[]).map((v) => `'${v}'`).join(", ")}`;
    case "oneOf":
      return "Exactly one of 'id' and 'family' is required";
    default:
      return message ?? "Invalid input";
  }
}

const typeNames: Record<string, string> = { object: "dictionary", array: "list" };
const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Checks an id in the path, dashes allowed, and returns it as ids are stored. @throws ApiError 400 */
export function parseId(text: string, part: Part = "path", location = "id"): string {
  const hex = text.replaceAll("-", "").toLowerCase();
  if (/^[0-9a-f]{32}$/.test(hex) && (text.length === 32 || /^.{8}-.{4}-.{4}-.{4}-.{12}$/.test(text))) return hex;
  const odd = /[^0-9a-fA-F-]/.exec(text);
  const reason = odd
    ? `invalid character: found \`${odd[0]}\` at ${odd.index + 1}`
    : text.includes("-")
      ? `invalid group count or length: expected 8-4-4-4-12, found ${text
          .split("-")
          .map((group) => group.length)
          .join("-")}`
      : `invalid length: expected length 32 for simple format, found ${text.length}`;
  throw fault(part, location, `Input should be a valid UUID, ${reason}`);
}

/** Checks what the schema cannot say about firewall rules. @throws ApiError 400 naming the rule */
export function checkRules(rules: readonly FirewallRule[], location: string): void {
  for (const [index, rule] of rules.entries()) {
    const at = (field: string) => `${location}.${index}.${field}`;
    const range = rule.port_range;
    if (rule.protocol === "icmp" && range) throw fault("body", at("port_range"), "Not allowed for protocol 'icmp'");
    if (rule.protocol !== "icmp" && !range)
      throw fault("body", at("port_range"), `Required for protocol '${rule.protocol}'`);
    if (range && range[0] > range[1])
      throw fault("body", at("port_range"), "First port should be less than or equal to the last");
    if (!isNetwork(rule.source_network))
      throw fault("body", at("source_network"), "Input should be a valid IPv4 address or network");
    if (hasHostBits(rule.source_network))
      throw fault("body", at("source_network"), `${rule.source_network} has host bits set`);
  }
}

/** Whether the text is an IPv4 address, alone or with a prefix length. */
function isNetwork(text: string): boolean {
  const [address = "", length = "32", ...more] = text.split("/");
  return isIPv4(address) && /^\d{1,2}$/.test(length) && Number(length) <= 32 && more.length === 0;
}

/** Whether a network's address names a host in it, which it must not (inferred from the API's framework). */
function hasHostBits(text: string): boolean {
  const [address = "", length = "32"] = text.split("/");
  return toNumber(address) % 2 ** (32 - Number(length)) !== 0;
}

/** Checks what the schema cannot say about an instance's tags. @throws ApiError 400 */
export function checkTags(tags: readonly Tag[]): void {
  const index = tags.findIndex((tag) => tag.key.startsWith("lambda-ai-"));
  if (index >= 0) throw fault("body", `tags.${index}.key`, "Keys that start with 'lambda-ai-' are reserved");
}
