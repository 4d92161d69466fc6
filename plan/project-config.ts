import { stringify } from "yaml";
import { configNamespace } from "./namespace";
import { stackConfigSchema } from "./stack-config";

/** The least that a stack file must have. */
const least = { experiment: "-", instanceTypes: ["x"] };

/**
 * The section `config` of Pulumi.yaml: keys of a stack file with their defaults, as `pulumi config` then lists them.
 * A key without a default isn't there, because Pulumi demands what a project declares, and neither are types that allow
 * less than the program does: Pulumi knows no numbers with a fraction, and no list that is given as JSON text.
 */
export function projectConfig(): string {
  const defaults = Object.entries(stackConfigSchema.parse(least));
  const keys = defaults.filter(([key, value]) => !(key in least) && value !== undefined);
  const declared = keys.map(([key, value]) => [
    configNamespace + key,
    { description: descriptionOf(key), default: value },
  ]);
  return stringify({ config: Object.fromEntries(declared) }, { lineWidth: 0 }).trimEnd();
}

function descriptionOf(key: string): string {
  const shape: Readonly<Record<string, { readonly description?: string }>> = stackConfigSchema.shape;
  return shape[key]?.description ?? "";
}
