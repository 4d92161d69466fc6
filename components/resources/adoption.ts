import { ownTags } from "../../lambda/account/tags";
import type { Instance } from "../../lambda/api/schemas";
import { overLimits } from "../../lambda/billing/forecast";
import { sameValue } from "../dynamic/diff";
import { type InstanceInputs, sha256 } from "./instance-inputs";

/**
 * What an instance that an interrupted `up` launched has otherwise than is wanted now, in words. A change of any of these
 * would replace an instance in the state: see {@link diffInstance}. What the API does not tell does not count.
 */
export function otherThanWanted(instance: Instance, inputs: InstanceInputs): string[] {
  const { region = "", tags, rulesetIds, sshKeyNames } = instance;
  const tagged = tags[ownTags.userData];
  const ruleset = inputs.rulesetIds?.[region];
  const wrong = [
    ...otherPlace(instance, inputs),
    tagged === undefined || sha256(inputs.userData).startsWith(tagged)
      ? undefined
      : "it was launched with other user data (keys)",
    overLimits(instance.instanceType?.priceCentsPerHour ?? 0, inputs),
    lacks(rulesetIds, ruleset) ? `it has another firewall ruleset than ${ruleset}` : undefined,
    lacks(sshKeyNames, inputs.sshKeyName) ? `it has another SSH key than ${inputs.sshKeyName}` : undefined,
  ];
  return wrong.filter((each) => each !== undefined);
}

/** What of an instance's place is another than is wanted, in words. What the API does not tell does not count. */
export function otherPlace(
  { instanceType, region = "", fileSystemNames, imageFamily }: Instance,
  wanted: Pick<InstanceInputs, "instanceTypes" | "regions" | "fileSystemNames" | "imageFamily">,
): string[] {
  const type = instanceType?.name ?? "";
  const wrong = [
    wanted.instanceTypes.includes(type) ? undefined : `its type ${type} is not in instanceTypes`,
    wanted.regions.includes(region) ? undefined : `its region ${region} is not in regions`,
    otherFileSystems(fileSystemNames, wanted.fileSystemNames ?? []),
    otherImage(imageFamily, wanted.imageFamily),
  ];
  return wrong.filter((each) => each !== undefined);
}

function otherFileSystems(has: readonly string[], wanted: readonly string[]): string | undefined {
  if (sameValue([...has].sort(), [...wanted].sort())) return undefined;
  const held = has.length === 0 ? "no file system" : `file system ${has.join(", ")}`;
  return `it has ${held}, not ${wanted.join(", ") || "none"}`;
}

/** Without a family any image is fine. */
function otherImage(has: string | undefined, wanted: string | undefined): string | undefined {
  if (wanted === undefined || has === undefined || has === wanted) return undefined;
  return `its image ${has} is not of imageFamily ${wanted}`;
}

function lacks(has: readonly string[], wanted: string | undefined): boolean {
  return wanted !== undefined && has.length > 0 && !has.includes(wanted);
}
