import * as pulumi from "@pulumi/pulumi";
import * as runtime from "@pulumi/pulumi/runtime";
import { parseJson } from "../../local/json";
import { readStackFile } from "../../local/stack-file";
import { configNamespace as namespace } from "../../plan/namespace";
import { PlanError, type Problem } from "../../plan/problems";
import { isStackKey } from "../../plan/stack-config";
import { stackFileInUse } from "./config-file";

/** The stack's configuration under our namespace: key without namespace → text. */
export function stackConfig(): Record<string, string> {
  const all = runtime.allConfig();
  const ours = Object.entries(all).filter(([key]) => key.startsWith(namespace));
  refuseKeysInClear(Object.fromEntries(ours));
  return Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), value]));
}

/**
 * Refuses keys of ours in the namespace of a project with another name, where `pulumi config set` without a namespace puts
 * them and nothing reads them.
 */
export function refuseMisplaced(): void {
  const own = `${pulumi.getProject()}:`;
  if (own === namespace) return;
  const problems = Object.keys(runtime.allConfig())
    .filter((key) => key.startsWith(own) && isStackKey(key.slice(own.length)))
    .map((key) => ({
      field: key,
      value: "set",
      message: `keys of the stack are read under ${namespace} alone`,
      next: `Rename it to ${namespace}${key.slice(own.length)} in the stack's file`,
    }));
  if (problems.length > 0) throw new PlanError(problems);
}

/** The engine copies the configuration into the state: plain text in the stack's file stays plain text there. */
function refuseKeysInClear(config: Readonly<Record<string, string>>): void {
  // The SDK exports it, without a type.
  const { isConfigSecret } = runtime as unknown as { isConfigSecret(key: string): boolean };
  const problems: Problem[] = ["apiKey", "selfTerminateApiKey"]
    .filter((name) => config[namespace + name] !== undefined && !isConfigSecret(namespace + name))
    .map((name) => ({
      field: namespace + name,
      value: "plain text",
      message: "an API key must be a secret of the configuration; otherwise the state would hold it in plain text",
      next: `Revoke this key. Then set another: npm run pulumi -- config set --secret ${namespace}${name}`,
    }));
  problems.push(...secretsInClear(config, isConfigSecret(`${namespace}secrets`)));
  if (problems.length > 0) throw new PlanError(problems);
}

/** Values of the workload's secrets that stand there as plain text, beside encrypted ones too. */
function secretsInClear(config: Readonly<Record<string, string>>, someAreSecret: boolean): Problem[] {
  const key = `${namespace}secrets`;
  const kept = parseJson(config[key] ?? "{}");
  if (typeof kept !== "object" || kept === null) return [];
  const written = someAreSecret ? readStackFile(stackFileInUse(pulumi.getStack())).config[key] : {};
  // All of it may be one secret, and it may come from an environment: then one that is secret stands for all.
  const isWhole = written === undefined || isSecret(written);
  return Object.keys(kept)
    .filter((name) => !isWhole && !isSecret((written as Readonly<Record<string, unknown>>)[name]))
    .map((name) => ({
      field: `${key}.${name}`,
      value: "plain text",
      message: "a secret must be encrypted in the configuration; otherwise the state would hold it in plain text",
      next: `Revoke it. Then set another: npm run pulumi -- config set --secret --path '${key}.${name}'`,
    }));
}

function isSecret(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}
