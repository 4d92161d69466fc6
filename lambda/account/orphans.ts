import type { FileSystem, FirewallRuleset, Instance, SshKey } from "../api/schemas";
import { isEnding } from "../api/schemas";
import { stateOriginOfKey } from "./key-line";
import { sameOrigin } from "./state-origin";
import { launchedAtOf, managedBy, ownTags } from "./tags";

/** What an account holds, as its API lists it. */
export interface Account {
  readonly instances: readonly Instance[];
  readonly sshKeys: readonly SshKey[];
  readonly rulesets: readonly FirewallRuleset[];
  readonly fileSystems: readonly FileSystem[];
}

/** A thing in the account that carries a claim of this project. */
export interface Claimed {
  readonly kind: "instance" | "SSH key" | "firewall ruleset" | "file system";
  readonly id: string;
  readonly name: string;
  /** Instance type. */
  readonly type?: string;
  readonly region?: string;
  /** ISO 8601; undefined where neither the API nor a tag tells. */
  readonly createdAt?: string;
  readonly priceCentsPerHour?: number;
}

/** Everything of one claim that no reachable state knows. */
export interface Orphan {
  /** The unique name. */
  readonly claim: string;
  readonly things: readonly Claimed[];
  /** Where the state was kept that knew it, as tags and comments tell. */
  readonly origin?: string;
  /**
   * `remove`: nothing speaks against it. Else what does: `used` by an instance that is not ours, `elsewhere` its state
   * is kept, or may be, its `age` is unknown, it is too `young`, it holds nothing but `data`.
   */
  readonly verdict: "remove" | "used" | "elsewhere" | "age" | "young" | "data";
}

/** What may be removed. */
export interface OrphanRules {
  /** Whether a reachable state holds this name or id. */
  readonly known: (text: string) => boolean;
  /** Where the reachable states are kept; undefined where that is not known. */
  readonly origin?: string;
  /** Claims whose state is kept elsewhere count as well. */
  readonly anyState: boolean;
  readonly minAgeHours: number;
  readonly includeUnknownAge: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A unique name: `lambda-train-<stack>-<8 hexadecimal digits>`. */
const claimPattern = /^lambda-train-[a-z0-9-]*-[0-9a-f]{8}$/;

/** The claim that a name carries, alone or with the region behind it as firewall rulesets have it. */
export function claimOf(name: string | undefined, region?: string): string | undefined {
  const suffix = `-${region}`;
  const bare = region !== undefined && name?.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  return [name, bare].find((each) => each !== undefined && claimPattern.test(each));
}

/**
 * Claims of this project in the account that no reachable state knows. One claim is one decision: as long as one thing
 * of it may be in use, nothing of it goes. An instance is ours only with both name and tags; where another bears the
 * name, the claim is not ours to judge and not in the list.
 */
export function findOrphans(account: Account, rules: OrphanRules): Orphan[] {
  const living = account.instances.filter(({ status }) => !isEnding(status));
  const foreign = living.filter((instance) => claimOf(instance.name) !== undefined && !isOurs(instance));
  const spared = new Set(foreign.map(({ name }) => name));
  const claims = new Map<string, Claimed[]>();
  const add = (claim: string | undefined, thing: Claimed): void => {
    if (claim === undefined || spared.has(claim) || rules.known(claim) || rules.known(thing.id)) return;
    claims.set(claim, [...(claims.get(claim) ?? []), thing]);
  };
  for (const instance of living.filter(isOurs)) add(claimOf(instance.name), claimedInstance(instance));
  for (const { id, name } of account.sshKeys) add(claimOf(name), { kind: "SSH key", id, name });
  for (const { id, name, region, createdAt } of account.rulesets) {
    add(claimOf(name, region), { kind: "firewall ruleset", id, name, region, createdAt: validTime(createdAt) });
  }
  for (const { id, name, region } of account.fileSystems) add(claimOf(name), { kind: "file system", id, name, region });
  // A claim of which a state knows one thing is known.
  const known = living.filter(({ id }) => rules.known(id)).map(({ name }) => name);
  return [...claims]
    .filter(([claim]) => !known.includes(claim))
    .map(([claim, things]) => judged(claim, things, { ...account, instances: living }, rules));
}

/** By name and tags. The name alone could be given by anyone. */
function isOurs({ name, tags }: Instance): boolean {
  const tagged = tags[ownTags.claim];
  return claimOf(name) === name && tags[managedBy.key] === managedBy.value && (tagged ?? name) === name;
}

function claimedInstance({ id, name = "", region, instanceType, tags }: Instance): Claimed {
  const { name: type, priceCentsPerHour } = instanceType ?? {};
  return { kind: "instance", id, name, type, region, createdAt: launchedAtOf(tags), priceCentsPerHour };
}

function judged(claim: string, things: readonly Claimed[], account: Account, rules: OrphanRules): Orphan {
  const ids = new Set(things.map(({ id }) => id));
  const origin =
    account.instances.find(({ id }) => ids.has(id))?.tags[ownTags.state] ??
    account.sshKeys.filter(({ id }) => ids.has(id)).map(({ publicKey }) => stateOriginOfKey(publicKey))[0];
  const usedByOthers = account.instances.some(
    (instance) =>
      !ids.has(instance.id) &&
      (instance.sshKeyNames.includes(claim) || instance.rulesetIds.some((ruleset) => ids.has(ruleset))),
  );
  // Instances and keys say whose they are; what says nothing may be anybody's. A ruleset without its key is left over.
  const saysWhose = things.some(({ kind }) => kind === "instance" || kind === "SSH key");
  const mayBeOurs = sameOrigin(origin, rules.origin) || (!saysWhose && origin === undefined);
  const born = bornAt(things);
  const verdict = (): Orphan["verdict"] => {
    if (things.every(({ kind }) => kind === "file system")) return "data";
    if (usedByOthers) return "used";
    if (!rules.anyState && !mayBeOurs) return "elsewhere";
    if (born === undefined) return rules.includeUnknownAge ? "remove" : "age";
    return rules.now - born < rules.minAgeHours * 3_600_000 ? "young" : "remove";
  };
  return { claim, things, origin, verdict: verdict() };
}

/** When the youngest thing of a claim was made. Undefined where that is not certain: an instance may be younger. */
function bornAt(things: readonly Claimed[]): number | undefined {
  if (things.some(({ kind, createdAt }) => kind === "instance" && createdAt === undefined)) return undefined;
  const times = things.flatMap(({ createdAt }) => (createdAt === undefined ? [] : [Date.parse(createdAt)]));
  return times.length === 0 ? undefined : Math.max(...times);
}

function validTime(text: string | undefined): string | undefined {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
