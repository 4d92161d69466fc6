import { readTargets, type Target } from "../../notices/targets";
import { configNamespace } from "../../plan/namespace";
import { pulumiOutput, rawStackConfig } from "../stack/pulumi";

/** The targets of a stack's configuration; none where nothing is configured. @throws PlanError where they are wrong */
export async function targetsOf(stack: string): Promise<Target[]> {
  const raw = rawStackConfig(stack).notify;
  if (raw === undefined) return [];
  const shown = await pulumiOutput(["config", "--json", "--show-secrets", "--stack", stack]);
  const value = (JSON.parse(shown) as Record<string, { value?: string }>)[`${configNamespace}notify`]?.value ?? "[]";
  return readTargets(JSON.parse(value), raw, process.env);
}
