import type { Claims } from "../../lambda/account/strays";

/** A resource in a state, as far as it matters here. */
export interface StateResource {
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** Start of the type of our resources. */
export const dynamicType = "pulumi-nodejs:dynamic/lambda-train:";

/** What the resources of a state say that it may have launched, and has. */
export function claimsIn(resources: readonly StateResource[]): Claims & { readonly endpoint?: string } {
  const of = (...kinds: readonly string[]): readonly StateResource[] =>
    resources.filter(({ type }) => kinds.some((kind) => type === `${dynamicType}${kind}`));
  const claims = of("Claim", "LaunchClaim");
  const names = claims.flatMap(({ inputs, outputs }) => textOf(outputs?.name) ?? textOf(inputs?.name) ?? []);
  const instances = of("Instance");
  const endpoint = [...instances, ...claims].map(({ inputs, outputs }) => textOf({ ...inputs, ...outputs }.endpoint));
  return {
    names: [...new Set(names)],
    instanceIds: instances.flatMap(({ id }) => id ?? []),
    endpoint: endpoint.find((each) => each !== undefined),
  };
}

/** What an exported state says that it may have launched, and has. Empty where it holds nothing. */
export function claimsOfExport(exported: string): Claims {
  const { deployment } = JSON.parse(exported) as { deployment?: { resources?: readonly StateResource[] } };
  return claimsIn(deployment?.resources ?? []);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
