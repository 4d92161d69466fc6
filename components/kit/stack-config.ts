import * as pulumi from "@pulumi/pulumi";
import * as runtime from "@pulumi/pulumi/runtime";
import { PlanError } from "../../plan/problems";

/** The stack's configuration under the project's namespace: key without namespace → text. */
export function stackConfig(): Record<string, string> {
  const namespace = `${pulumi.getProject()}:`;
  const ours = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(namespace));
  refuseKeysInClear(namespace, Object.fromEntries(ours));
  return Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), value]));
}

/** The engine copies the configuration into the state: plain text in the stack's file stays plain text there. */
function refuseKeysInClear(namespace: string, config: Readonly<Record<string, string>>): void {
  // The SDK exports it, without a type.
  const { isConfigSecret } = runtime as unknown as { isConfigSecret(key: string): boolean };
  const problems = ["apiKey", "selfTerminateApiKey"]
    .filter((name) => config[namespace + name] !== undefined && !isConfigSecret(namespace + name))
    .map((name) => ({
      field: namespace + name,
      value: "plain text",
      message: "an API key must be a secret of the configuration; otherwise the state would hold it in plain text",
      next: `Revoke this key. Then set another: npm run pulumi -- config set --secret ${name}`,
    }));
  if (problems.length > 0) throw new PlanError(problems);
}
