import { describe, expect, it } from "vitest";
import { keyComment, stateOriginOfKey } from "../../lambda/account/key-line";
import { type Account, claimOf, findOrphans, type Orphan, type OrphanRules } from "../../lambda/account/orphans";
import type { Instance } from "../../lambda/api/schemas";

const now = Date.parse("2026-01-02T00:00:00Z");
const claim = "lambda-train-dev-0a1b2c3d";
/** Where the states are kept in these tests. */
const ours = "file://here/state?id=00112233445566778899aabbccddeeff";
const hoursAgo = (hours: number): string => new Date(now - hours * 3_600_000).toISOString();

function instanceOf(changes: Partial<Instance> = {}, tags: Record<string, string> = {}): Instance {
  return {
    id: "i1",
    name: claim,
    ip: undefined,
    privateIp: undefined,
    status: "active",
    sshKeyNames: [claim],
    fileSystemNames: [],
    region: "us-east-1",
    instanceType: undefined,
    imageFamily: undefined,
    hostname: undefined,
    firstHealthyAt: undefined,
    tags: {
      "managed-by": "lambda-train",
      "lambda-train:launched-at": hoursAgo(5),
      "lambda-train:state": ours,
      ...tags,
    },
    rulesetIds: ["r1"],
    ...changes,
  };
}

const key = { id: "k1", name: claim, publicKey: "ssh-ed25519 AAAA" };
const ruleset = {
  id: "r1",
  name: `${claim}-us-east-1`,
  region: "us-east-1",
  rules: [],
  instanceIds: [],
  createdAt: hoursAgo(5),
};
const fileSystem = {
  id: "f1",
  name: claim,
  mountPoint: "/lambda/nfs/x",
  region: "us-east-1",
};

function find(account: Partial<Account>, rules: Partial<OrphanRules> = {}): Orphan[] {
  return findOrphans(
    { instances: [], sshKeys: [], rulesets: [], fileSystems: [], ...account },
    { known: () => false, anyState: false, minAgeHours: 1, includeUnknownAge: false, now, origin: ours, ...rules },
  );
}
const verdicts = (orphans: Orphan[]): string[] => orphans.map(({ verdict }) => verdict);

describe("a claim", () => {
  it.each([
    [claim, undefined, claim],
    ["lambda-train--0a1b2c3d", undefined, "lambda-train--0a1b2c3d"],
    [`${claim}-us-east-1`, "us-east-1", claim],
    [`${claim}-us-east-1`, "us-west-1", undefined],
    ["lambda-train-dev", undefined, undefined],
    ["lambda-train-dev-0A1B2C3D", undefined, undefined],
    ["my-lambda-train-dev-0a1b2c3d", undefined, undefined],
    ["lambda-train-dev-0a1b2c3d-copy", undefined, undefined],
    [undefined, undefined, undefined],
  ])("in the name %s (region %s) is %s", (name, region, found) => {
    expect(claimOf(name, region)).toBe(found);
  });
});

describe("orphans", () => {
  it("are everything of a claim together", () => {
    const [orphan, ...others] = find({ instances: [instanceOf()], sshKeys: [key], rulesets: [ruleset] });
    expect(others).toEqual([]);
    expect(orphan?.things.map(({ kind }) => kind)).toEqual(["instance", "SSH key", "firewall ruleset"]);
    expect(orphan?.verdict).toBe("remove");
  });

  it.each([claim, "i1"])("are not what a state knows by %s", (text) => {
    const known = (each: string): boolean => each === text;
    expect(find({ instances: [instanceOf()], sshKeys: [key], rulesets: [ruleset] }, { known })).toEqual([]);
  });

  it.each([
    ["without the tag", {}, { "managed-by": "someone" }],
    ["with the tag of another claim", {}, { "lambda-train:claim": "lambda-train-dev-99999999" }],
    ["with another name", { name: "train" }, {}],
  ])("are never instances %s, nor what bears their name", (_, changes, tags) => {
    const untied = { sshKeyNames: [], rulesetIds: [], ...changes };
    if (!("name" in changes)) expect(find({ instances: [instanceOf(untied, tags)], sshKeys: [key] })).toEqual([]);
    const account = { instances: [instanceOf(changes, tags)], sshKeys: [key], rulesets: [ruleset] };
    const found = find(account, { includeUnknownAge: true, anyState: true, minAgeHours: 0 });
    expect(found.flatMap(({ things }) => things.map(({ kind }) => kind))).not.toContain("instance");
    expect(verdicts(found)).not.toContain("remove");
  });

  it("are not instances that are ending", () => {
    expect(find({ instances: [instanceOf({ status: "terminating" })] })).toEqual([]);
  });

  it("are as young as their youngest thing", () => {
    expect(verdicts(find({ instances: [instanceOf()], rulesets: [{ ...ruleset, createdAt: hoursAgo(0.5) }] }))).toEqual(
      ["young"],
    );
    expect(verdicts(find({ instances: [instanceOf({}, { "lambda-train:launched-at": hoursAgo(0.9) })] }))).toEqual([
      "young",
    ]);
    expect(verdicts(find({ instances: [instanceOf()] }, { minAgeHours: 6 }))).toEqual(["young"]);
  });

  it.each(["", "soon", "2999-01-01T00:00:00Z"])("have no known age where an instance's tag says %j", (launchedAt) => {
    const account = { instances: [instanceOf({}, { "lambda-train:launched-at": launchedAt })], rulesets: [ruleset] };
    expect(verdicts(find(account))).toEqual(["age"]);
    expect(verdicts(find(account, { includeUnknownAge: true }))).toEqual(["remove"]);
  });

  it("of another state are left, by the instance's tag or the key's comment", () => {
    const origin = "file://here/a b/state?id=0123456789abcdef0123456789abcdef";
    const tagged = { instances: [instanceOf({}, { "lambda-train:state": "s3://theirs" })] };
    expect(verdicts(find(tagged, { origin }))).toEqual(["elsewhere"]);
    expect(verdicts(find(tagged, { origin, anyState: true }))).toEqual(["remove"]);
    expect(verdicts(find({ instances: [instanceOf({}, { "lambda-train:state": origin })] }, { origin }))).toEqual([
      "remove",
    ]);
    const clone = origin.replace("0123", "3210");
    expect(verdicts(find({ instances: [instanceOf({}, { "lambda-train:state": clone })] }, { origin }))).toEqual([
      "elsewhere",
    ]);
    const publicKey = `ssh-ed25519 AAAA ${keyComment(origin)}`;
    expect(stateOriginOfKey(publicKey)).toBe(origin);
    const old = { sshKeys: [{ ...key, publicKey }], rulesets: [ruleset] };
    expect(verdicts(find(old, { origin }))).toEqual(["remove"]);
    expect(verdicts(find(old, { origin: "file://there" }))).toEqual(["elsewhere"]);
  });

  it("that do not say whose they are are left, and all of them where nobody knows where the own states are", () => {
    const { "lambda-train:state": _, ...untagged } = instanceOf().tags;
    expect(verdicts(find({ instances: [instanceOf({ tags: untagged })] }))).toEqual(["elsewhere"]);
    expect(verdicts(find({ sshKeys: [key] }))).toEqual(["elsewhere"]);
    expect(verdicts(find({ instances: [instanceOf()] }, { origin: undefined }))).toEqual(["elsewhere"]);
    expect(verdicts(find({ instances: [instanceOf({ tags: untagged })] }, { anyState: true }))).toEqual(["remove"]);
    expect(verdicts(find({ rulesets: [ruleset] }))).toEqual(["remove"]);
  });

  it("of a folder without an id, as releases before wrote it, may be of a machine of equal name, and are left", () => {
    const origin = "file://here/state";
    const tagged = { instances: [instanceOf({}, { "lambda-train:state": origin })] };
    expect(verdicts(find(tagged, { origin }))).toEqual(["elsewhere"]);
    expect(verdicts(find(tagged, { origin: `${origin}?id=0123456789abcdef0123456789abcdef` }))).toEqual(["elsewhere"]);
    expect(verdicts(find(tagged, { origin, anyState: true }))).toEqual(["remove"]);
  });

  it("in use by another instance are left", () => {
    const other = instanceOf({ id: "i2", name: "theirs", sshKeyNames: [], rulesetIds: ["r1"] }, { "managed-by": "" });
    expect(verdicts(find({ instances: [other], rulesets: [ruleset] }))).toEqual(["used"]);
  });

  it("that are a file system alone hold data", () => {
    expect(verdicts(find({ fileSystems: [fileSystem] }))).toEqual(["data"]);
  });
});
