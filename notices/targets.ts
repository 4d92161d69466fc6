import { basename } from "node:path";
import { type NoticeEvent, type NotifyTarget, noticeEvents, notifySchema, secretFields } from "../plan/notify";
import { PlanError, type Problem } from "../plan/problems";

/** A target with everything filled in. Holds secrets: never printed, but by its name. */
export interface Target {
  /** For people, without a secret: `slack 1 (hooks.slack.com)`. */
  readonly name: string;
  readonly kind: "webhook" | "slack" | "ntfy" | "email" | "command";
  /** Where it is reached, or the command. Secret. */
  readonly url: string;
  /** Bearer token. Secret. */
  readonly token?: string;
  /** Addresses of an e-mail. */
  readonly mail?: { readonly to: string; readonly from: string };
  readonly events: readonly NoticeEvent[];
}

/**
 * Reads targets, in their order.
 * @param raw As the stack's file has it, where a secret is `{ secure: … }`.
 * @throws PlanError where they are wrong, a secret stands there in plain text, or a variable is not set.
 */
export function readTargets(value: unknown, raw: unknown, env: NodeJS.ProcessEnv): Target[] {
  const parsed = notifySchema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => ({ field: fieldAt(path), value: hidden, message }));
    throw new PlanError(problems);
  }
  const problems: Problem[] = [];
  const targets = parsed.data.map((target, i) => resolve(target, i, isSecret(raw) ? raw : at(raw, i), env, problems));
  if (problems.length > 0) throw new PlanError(problems);
  return targets;
}

const hidden = "…";
const project = "lambda-train";

function fieldAt(path: readonly PropertyKey[]): string {
  return `${project}:notify${path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("")}`;
}

function resolve(target: NotifyTarget, i: number, raw: unknown, env: NodeJS.ProcessEnv, problems: Problem[]): Target {
  const shared = { events: target.events ?? noticeEvents };
  if ("command" in target) {
    const program = /^\s*([^\s=]+)(?=\s|$)/.exec(target.command)?.[1];
    const name = `command ${i + 1}${program === undefined ? "" : ` (${basename(program)})`}`;
    return { name, kind: "command", url: target.command, ...shared };
  }
  const given: Partial<Record<(typeof secretFields)[number], string>> = target;
  const filled: Record<string, string> = {};
  for (const field of secretFields) {
    const text = given[field];
    if (text === undefined) continue;
    const variable = /^\$(\w+)$/.exec(text)?.[1];
    const value = variable === undefined ? text : env[variable];
    const name = fieldAt([i, field]);
    if (value === undefined || value === "") {
      problems.push({ field: name, value: text, message: `the environment variable ${variable} is not set` });
    } else if (variable === undefined && !isSecret(raw) && !isSecret(at(raw, field)) && !isLoopback(value)) {
      const path = `notify[${i}].${field}`;
      const next = `Set it with \`npm run pulumi -- config set --secret --path 'lambda-train:${path}'\`, or name an environment variable as $NAME`;
      problems.push({ field: name, value: hidden, message: "it is a secret, but it is in plain text", next });
    } else filled[field] = value;
  }
  const kind = (["webhook", "slack", "ntfy"] as const).find((each) => each in target) ?? "email";
  const url = filled[kind] ?? filled.server ?? "";
  const mail = "email" in target ? { to: target.email, from: target.from } : undefined;
  const where = URL.canParse(url) ? new URL(url).host : "?";
  if (where === "?" && url !== "")
    problems.push({ field: fieldAt([i]), value: hidden, message: "it isn't a valid URL" });
  const name = `${kind} ${i + 1} (${mail === undefined ? where : `${mail.to} by ${where}`})`;
  return { name, kind, url, token: filled.token, mail, ...shared };
}

function at(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}

function isSecret(raw: unknown): boolean {
  return typeof at(raw, "secure") === "string";
}

/** What never leaves this machine needs no secrecy. */
function isLoopback(url: string): boolean {
  return URL.canParse(url) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
