import type { ApiAction, ApiFault, ApiMatch } from "./model";

/** What is known of a call before it is handled. */
export interface CallFacts {
  readonly operation?: string;
  readonly method: string;
  /** Below `/api/v1`. */
  readonly path: string;
}

/** Counts a call against every fault that matches it, and returns what befalls the call: all of it, merged. */
export function strike(faults: readonly ApiFault[], call: CallFacts, random: () => number = Math.random): ApiAction {
  let action: ApiAction = {};
  for (const fault of faults) {
    if (!isMatch(fault.match, call)) continue;
    fault.seen += 1;
    if (fault.seen <= (fault.skip ?? 0) || fault.fired >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
    if (random() >= (fault.probability ?? 1)) continue;
    fault.fired += 1;
    action = { ...fault.action, ...action };
  }
  return action;
}

function isMatch(match: ApiMatch, { operation, method, path }: CallFacts): boolean {
  if (match.operation !== undefined && match.operation !== operation) return false;
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match.path === undefined) return true;
  return match.path.endsWith("*") ? path.startsWith(match.path.slice(0, -1)) : match.path === path;
}

/** Fields of an instance that API 1.5 sent as `null` where there was no value. */
const nullable = ["name", "ip", "private_ip", "hostname", "jupyter_token", "jupyter_url"];

/** The payload with what a fault does to it: unknown fields in every object, nulls and another status in instances. */
export function distort(value: unknown, action: ApiAction): unknown {
  if (Array.isArray(value)) return value.map((item) => distort(item, action));
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) result[key] = distort(part, action);
  const isInstance = "ssh_key_names" in result;
  if (action.nulls && isInstance) for (const name of nullable) result[name] ??= null;
  if (action.showStatus !== undefined && isInstance) result.status = action.showStatus;
  const isMap = Object.values(value).some(
    (part) => typeof part === "object" && part !== null && "instance_type" in part,
  );
  if (action.extraFields && !isMap)
    Object.assign(result, { workspace_id: "0".repeat(32), is_reserved: false, x_new: { a: 1 } });
  return result;
}

/** An answer given in place of handling a call. */
export interface StandIn {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The answer that a fault gives, or undefined where it gives none. */
export function standIn({ answer }: ApiAction): StandIn | undefined {
  if (answer === undefined) return undefined;
  if (typeof answer === "object") return { contentType: "application/json", ...answer };
  return standIns[answer];
}

const json = (status: number, code: string, message: string): StandIn => ({
  status,
  contentType: "application/json",
  body: JSON.stringify({ error: { code, message } }),
});
const page = (status: number, contentType: string, body: string): StandIn => ({ status, contentType, body });

/** Answers of the edge and of a server in trouble. */
export const standIns = {
  "rate-limited": page(429, "text/plain; charset=UTF-8", "error code: 1015"),
  "rate-limited-json": json(429, "global/rate-limited", "Too many requests."),
  "server-error": json(500, "global/unknown", "An unknown error occurred."),
  "bad-gateway": page(
    502,
    "text/html; charset=UTF-8",
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
  ),
  blocked: page(403, "text/plain; charset=UTF-8", "error code: 1010"),
} as const;
