import { createHash } from "node:crypto";
import { isReserved } from "../../lambda/account/tags";
import type { CostLimits } from "../../lambda/billing/forecast";
import type { Wanted } from "../../lambda/launch/planner";
import { type Failure, Failures, isOptionalAmount, isText, isTextList } from "../dynamic/checks";
import { diffByName, sameValue } from "../dynamic/diff";
import type { Diff } from "../dynamic/handler";
import { hasUnknown } from "../dynamic/unknown";

type Texts = Readonly<Record<string, string>>;

export interface InstanceInputs extends Wanted, CostLimits {
  readonly name: string;
  readonly endpoint?: string;
  readonly sshKeyName: string;
  readonly userData: string;
  readonly imageFamily?: string;
  readonly rulesetIds?: Texts;
  readonly fileSystemNames?: readonly string[];
  readonly tags?: Texts;
  readonly capacityTimeoutSeconds: number;
  /** Unique names of the instances that are launched together with it, its own among them. */
  readonly group?: readonly string[];
}

/** All inputs but the user data, of which only the hash is kept, and what was launched. */
export interface InstanceOutputs extends Omit<InstanceInputs, "userData"> {
  readonly instanceType: string;
  readonly region: string;
  /** Dollars, before tax. */
  readonly pricePerHour: number;
  readonly priceCentsPerHour: number;
  readonly architecture: string;
  readonly gpus: number;
  /** ISO 8601. Of an instance that was found without a tag that tells: when it was found. */
  readonly launchedAt: string;
  readonly adopted: boolean;
  /** Absent where the instance was looked up by its id: user data cannot be read back. */
  readonly userDataSha256?: string;
}

const defaultCapacityTimeoutSeconds = 900;

export function checkInstance(news: InstanceInputs): { inputs: InstanceInputs; failures: Failure[] } {
  const failures = new Failures();
  failures.require("name", news.name, (name) => isText(name, 1, 64), "must have 1 to 64 characters");
  failures.require("instanceTypes", news.instanceTypes, isTextList, "must list at least one instance type");
  failures.require("regions", news.regions, isTextList, "must list at least one region");
  failures.require("sshKeyName", news.sshKeyName, (name) => isText(name, 1, 64), "must have 1 to 64 characters");
  // Its value is secret and not shown.
  const small = isText(news.userData, 1) && Buffer.byteLength(news.userData) <= 1_000_000;
  if (!small) failures.list.push({ property: "userData", reason: "userData must be a text of at most 1 MB" });
  for (const name of ["maxPricePerHour", "budgetDollars", "expectedHours"] as const) {
    failures.require(name, news[name], (value) => isOptionalAmount(value, true), "must be above 0");
  }
  const capacityTimeoutSeconds = news.capacityTimeoutSeconds ?? defaultCapacityTimeoutSeconds;
  failures.require("capacityTimeoutSeconds", capacityTimeoutSeconds, isOptionalAmount, "must be seconds, 0 or more");
  failures.require("tags", news.tags ?? {}, (tags) => Object.entries(tags).every(isTag), tagText);
  return { inputs: { ...news, capacityTimeoutSeconds }, failures: failures.list };
}

const tagText =
  "must have keys of 2 to 55 lower-case letters, digits, dashes and colons that begin with a letter and not with " +
  "lambda-ai- or lambda-train:, and values of at most 128 characters";

function isTag([key, value]: [string, unknown]): boolean {
  return /^[a-z][a-z0-9:-]{1,54}$/.test(key) && !isReserved(key) && isText(value, 0, 128);
}

/**
 * Name and tags change in place. A changed list that still holds the type or region of the instance is only recorded,
 * so that widening a list costs nothing. What Lambda cannot change replaces the instance, the old one first.
 */
export function diffInstance(olds: InstanceOutputs, news: InstanceInputs): Diff {
  const diff = diffByName(olds, news, { replace: ["endpoint", "sshKeyName"], update: recorded });
  const replaces = [...(diff.replaces ?? [])];
  const replaceIf = (property: keyof InstanceInputs, changed: boolean): void => {
    if (changed) replaces.push(property);
  };
  const lacks = (list: readonly string[], value: string): boolean => hasUnknown(list) || !list.includes(value);
  replaceIf("instanceTypes", lacks(news.instanceTypes, olds.instanceType));
  replaceIf("regions", lacks(news.regions, olds.region));
  replaceIf("userData", olds.userDataSha256 !== undefined && olds.userDataSha256 !== sha256(news.userData));
  // Without a family any image is fine, the one that is there too.
  replaceIf("imageFamily", news.imageFamily !== undefined && news.imageFamily !== olds.imageFamily);
  replaceIf("rulesetIds", !sameValue(rulesetIn(olds), rulesetIn(news, olds.region)));
  replaceIf("fileSystemNames", !sameValue(olds.fileSystemNames ?? [], news.fileSystemNames ?? []));
  return { changes: diff.changes || replaces.length > 0, replaces, deleteBeforeReplace: true };
}

const recorded = [
  "name",
  "tags",
  "instanceTypes",
  "regions",
  "rulesetIds",
  "capacityTimeoutSeconds",
  "maxPricePerHour",
  "budgetDollars",
  "expectedHours",
  "instances",
  "group",
] as const;

function rulesetIn(inputs: { rulesetIds?: Texts; region?: string }, region = inputs.region ?? ""): string | undefined {
  const { rulesetIds } = inputs;
  return typeof rulesetIds === "string" ? rulesetIds : rulesetIds?.[region];
}

/** Inputs as outputs hold them: without the user data. */
export function recordedInputs({ userData: _, ...inputs }: InstanceInputs): Omit<InstanceInputs, "userData"> {
  const { __provider, ...rest } = inputs as typeof inputs & { readonly __provider?: string };
  return rest;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
