import { describe, expect, test } from "vitest";
import { unknownValue } from "../../../components/dynamic/unknown";
import { diffInstance, type InstanceInputs, type InstanceOutputs } from "../../../components/resources/instance-inputs";

describe("diff", () => {
  const olds: InstanceOutputs = {
    name: "lambda-train-test-0a1b2c3d",
    endpoint: "emulated",
    instanceTypes: ["gpu_1x_a10", "gpu_1x_a100"],
    regions: ["us-east-1"],
    sshKeyName: "key",
    rulesetIds: { "us-east-1": "r1", "us-west-1": "r2" },
    tags: { a: "b" },
    capacityTimeoutSeconds: 900,
    instanceType: "gpu_1x_a10",
    region: "us-east-1",
    pricePerHour: 1.29,
    priceCentsPerHour: 129,
    architecture: "x86_64",
    gpus: 1,
    launchedAt: "2026-01-01T00:00:00Z",
    adopted: false,
    userDataSha256: "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090",
  };
  const news: InstanceInputs = {
    name: olds.name,
    endpoint: olds.endpoint,
    instanceTypes: olds.instanceTypes,
    regions: olds.regions,
    sshKeyName: olds.sshKeyName,
    rulesetIds: olds.rulesetIds,
    tags: olds.tags,
    capacityTimeoutSeconds: 900,
    userData: "abc123",
  };
  const diff = (change: object, was: object = {}): unknown => {
    const { changes, replaces } = diffInstance({ ...olds, ...was }, { ...news, ...change });
    return changes ? replaces : "none";
  };

  test.each<[string, object, unknown]>([
    ["nothing", {}, "none"],
    ["the provider's text", { __provider: "other" }, "none"],
    ["the name", { name: "x" }, []],
    ["tags", { tags: { a: "c" } }, []],
    ["no tags", { tags: undefined }, []],
    ["a list that still holds the type", { instanceTypes: ["gpu_1x_a10"] }, []],
    ["a list that lacks the type", { instanceTypes: ["gpu_1x_a100"] }, ["instanceTypes"]],
    ["types that are not known yet", { instanceTypes: unknownValue }, ["instanceTypes"]],
    ["more regions", { regions: ["us-west-1", "us-east-1"] }, []],
    ["other regions", { regions: ["us-west-1"] }, ["regions"]],
    ["user data", { userData: "abc124" }, ["userData"]],
    ["user data that is not known yet", { userData: unknownValue }, ["userData"]],
    ["the key", { sshKeyName: "other" }, ["sshKeyName"]],
    ["the endpoint", { endpoint: "https://cloud.lambda.ai/api/v1" }, ["endpoint"]],
    ["an image family", { imageFamily: "ubuntu-24-04" }, ["imageFamily"]],
    ["the ruleset of its region", { rulesetIds: { "us-east-1": "r9", "us-west-1": "r2" } }, ["rulesetIds"]],
    ["the ruleset of another region", { rulesetIds: { "us-east-1": "r1", "us-west-1": unknownValue } }, []],
    ["file systems", { fileSystemNames: ["weights"] }, ["fileSystemNames"]],
    ["no file systems", { fileSystemNames: [] }, "none"],
    ["waits and limits", { capacityTimeoutSeconds: 1, budgetDollars: 3, expectedHours: 1, maxPricePerHour: 2 }, []],
  ])("of %s", (_name, change, expected) => {
    expect(diff(change)).toEqual(expected);
  });

  test("after an import takes the user data as given", () => {
    expect(diff({ userData: "anything" }, { userDataSha256: undefined })).toBe("none");
  });

  test("never lets two instances be at a time", () => {
    expect(diffInstance(olds, { ...news, sshKeyName: "x" })).toMatchObject({
      deleteBeforeReplace: true,
    });
  });
});
