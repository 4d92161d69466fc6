import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { experimentSchema } from "../../plan/experiment";
import { nearest, PlanError, problemsOf } from "../../plan/problems";
import { parseStackConfig, protectProblems, type stackConfigSchema } from "../../plan/stack-config";

const good = { experiment: "configs/hmer-ink.yaml", instanceTypes: '["gpu_1x_a10"]', regions: '["us-west-1"]' };

function problems(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof PlanError) return error.problems.map(({ field }) => field);
    throw error;
  }
  return [];
}

/** A wrong value for every field of a stack file. */
const wrong: Readonly<Record<keyof typeof stackConfigSchema.shape, string>> = {
  experiment: "",
  experimentName: "no spaces allowed",
  endpoint: "ftp://example.com",
  instances: "101",
  apiKey: "",
  instanceTypes: '["A10 GPU"]',
  regions: "us-west-1",
  imageFamily: "",
  fileSystem: "9lives",
  createFileSystem: "perhaps",
  capacityTimeoutMinutes: "-1",
  bootTimeoutMinutes: "0",
  sshSources: '["example.com"]',
  recoveryKeys: '["me@example.com"]',
  sshPort: "65536",
  budgetDollars: "-5",
  expectedHours: "soon",
  maxPricePerHour: "0",
  secrets: '["HF_TOKEN"]',
  notify: '[{"webhook": "ftp://example.com/secret_abc"}]',
  protect: "perhaps",
  selfTerminate: "perhaps",
  selfTerminateAfterMinutes: "0",
  selfTerminateApiKey: "",
};

describe("stack configuration", () => {
  it.each(Object.entries(wrong))("refuses a wrong %s by name", (field, value) => {
    expect(problems(() => parseStackConfig({ ...good, [field]: value }))).toEqual([
      expect.stringMatching(`^lambda-train:${field}(\\.0(\\.\\w+)?)?$`),
    ]);
  });

  it("reports all wrong fields together, each with its value and what is allowed", () => {
    const error = (() => {
      try {
        parseStackConfig(wrong);
      } catch (caught) {
        return caught as PlanError;
      }
      throw new Error("was accepted");
    })();
    for (const field of Object.keys(wrong)) expect(error.message).toContain(`lambda-train:${field}`);
    expect(error.message).toContain('is "-1": must be 0 minutes or more');
    expect(error.message).toContain("Nothing was launched");
  });

  it("refuses to protect an instance that terminates itself", () => {
    const fields = (more: object): string[] =>
      protectProblems(parseStackConfig({ ...good, ...more })).map(({ field }) => field);
    expect(fields({ protect: "true", selfTerminate: "true" })).toEqual(["lambda-train:protect"]);
    expect(fields({ protect: "true" })).toEqual([]);
    expect(fields({ selfTerminate: "lose-results" })).toEqual([]);
  });

  it("names the field that a misspelt one most likely meant", () => {
    expect(() => parseStackConfig({ ...good, instanceType: "gpu_1x_a10" })).toThrow("Did you mean instanceTypes?");
  });

  it("refuses a region that is named twice", () => {
    expect(() => parseStackConfig({ ...good, regions: '["us-west-1", "us-west-1"]' })).toThrow(
      /lambda-train:regions.*must name each region once/,
    );
  });

  it("never shows the API key", () => {
    expect(() => parseStackConfig({ ...good, apiKey: "secret_abc", sshPort: "no" })).not.toThrow(/secret_abc/);
  });

  it("reads lists and numbers from the text that Pulumi hands over", () => {
    const config = parseStackConfig({ ...good, sshSources: '["203.0.113.7/32"]', budgetDollars: "12.5" });
    expect(config.instanceTypes).toEqual(["gpu_1x_a10"]);
    expect(config.sshSources).toEqual(["203.0.113.7/32"]);
    expect(config.budgetDollars).toBe(12.5);
  });

  it.each(["999.1.1.1/32", "203.0.113.256", "203.0.113.7/33", "203.0.113.7/", "203.0.113/24", "::1/128"])(
    "refuses %s as a network",
    (network) => {
      expect(() => parseStackConfig({ ...good, sshSources: JSON.stringify([network]) })).toThrow("sshSources");
    },
  );

  it("refuses a network with bits of a host in it, and names the network", () => {
    const config = (network: string) => parseStackConfig({ ...good, sshSources: JSON.stringify([network]) });
    expect(() => config("203.0.113.7/24")).toThrow("has host bits set: the network is 203.0.113.0/24");
    expect(() => config("10.1.2.3/0")).toThrow("the network is 0.0.0.0/0");
    for (const network of ["203.0.113.0/24", "203.0.113.7/32", "203.0.113.7", "0.0.0.0/0", "203.0.113.8/29"])
      expect(config(network).sshSources).toEqual([network]);
  });

  it("refuses more networks than Lambda's firewall has rules", () => {
    const many = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => `203.0.113.${i}`));
    expect(parseStackConfig({ ...good, sshSources: many(20) }).sshSources).toHaveLength(20);
    expect(() => parseStackConfig({ ...good, sshSources: many(21) })).toThrow("must name at most 20 networks");
  });

  it("accepts or refuses any text without crashing", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(wrong)), fc.string()), (raw) => {
        problems(() => parseStackConfig(raw));
      }),
    );
  });
});

describe("experiment file", () => {
  const parse = (value: unknown): string[] => {
    const parsed = experimentSchema.safeParse(value);
    return parsed.success ? [] : problemsOf(parsed.error, experimentSchema, value, "").map(({ field }) => field);
  };
  const base = { experiment: "run-1", workload: { source: "." } };

  it("fills in the commands of a repository shaped like hmer-ink", () => {
    const parsed = experimentSchema.parse(base);
    expect(parsed.environment.setup).toBe("./scripts/lambda_setup.sh");
    expect(parsed.train.command).toBe("make train CONFIG={config} EXPERIMENT={experiment}");
    expect(parsed.evaluate?.command).toBe("make evaluate MODEL={checkpoint}");
    expect(parsed.dashboard).toEqual({ command: "make dashboard", port: 8501 });
  });

  it.each([
    ["experiment", { experiment: "a/b" }],
    ["workload.source", { workload: {} }],
    ["workload.subfolder", { workload: { source: ".", subfolder: "../up" } }],
    ["dataset.source", { dataset: {} }],
    ["dataset.sha256", { dataset: { source: "d", sha256: "12" } }],
    ["dataset.target", { dataset: { source: "d", target: "/data" } }],
    ["environment.manager", { environment: { manager: "pipenv" } }],
    ["environment.timeoutMinutes", { environment: { timeoutMinutes: 0 } }],
    ["gate.gpu", { gate: { gpu: "maybe" } }],
    ["gate.minDiskGiB", { gate: { minDiskGiB: -1 } }],
    ["train.waitFor", { train: { waitFor: "lunch" } }],
    ["train.graceSeconds", { train: { graceSeconds: 0 } }],
    ["train.maxHours", { train: { maxHours: "two" } }],
    ["evaluate.timeoutMinutes", { evaluate: { timeoutMinutes: -1 } }],
    ["dashboard.port", { dashboard: { port: 0 } }],
    ["results.outputs", { results: { outputs: "/tmp" } }],
  ])("refuses a wrong %s by name", (field, change) => {
    expect(parse({ ...base, ...change })).toEqual([field]);
  });

  it("names unknown fields at any depth", () => {
    expect(parse({ ...base, train: { comand: "x" }, trian: {} })).toEqual(["train.comand", "trian"]);
  });
});

describe("nearest", () => {
  it("finds a word by one typing error, and nothing for a word unlike all", () => {
    expect(nearest("trian", ["train", "evaluate"])).toBe("train");
    expect(nearest("zzzzzz", ["train", "evaluate"])).toBeUndefined();
  });
});
