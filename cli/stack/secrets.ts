import { findSecrets, secretsConfig } from "../../plan/secrets";
import type { RunPlan } from "../../plan/types";
import { pulumiOutput, rawStackConfig } from "./pulumi";
import type { StackView } from "./stack-view";

/** Lets this process mask the secrets of a stack's runs that its environment or their files hold. */
export function maskSecrets({ runs }: Pick<StackView, "runs">): void {
  for (const { run } of runs) findSecrets(run.secrets ?? [], { environment: process.env, configured: undefined });
}

/** Values of a run's secrets that are found here, by name. What is missing is left to the instance. */
export async function secretsFor(stack: string, run: RunPlan | undefined): Promise<Readonly<Record<string, string>>> {
  const secrets = run?.secrets ?? [];
  const here = findSecrets(secrets, { environment: process.env, configured: undefined });
  if (here.problems.length === 0 || rawStackConfig(stack).secrets === undefined) return here.values;
  const configured = await pulumiOutput(["config", "get", secretsConfig, "--stack", stack]);
  return findSecrets(secrets, { environment: process.env, configured }).values;
}
