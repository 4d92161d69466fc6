import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { MockAgent, setGlobalDispatcher } from "undici";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import program from "../../index";
import type { StandingPlan } from "../../plan/standing";
import { isKnown, type Mocks, outputValue } from "../support/mocks";
import { privateKeyText, startMocks } from "./resources/cloud-answers";

type Outputs = Record<string, unknown>;

/** The program as the engine runs it: from a stack's configuration to its outputs, with the cloud's part mocked. */
describe("the program", () => {
  let mocks: Mocks;
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-program-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(folder, "local"));
  });
  afterEach(async () => {
    await mocks.settled();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the program with the workload of the lifecycle tests, the stack's configuration and experiment changed. */
  const run = async (
    config: object = {},
    experiment: object = {},
    options = {},
    secretKeys: string[] = [],
  ): Promise<Outputs> => {
    mocks = await startMocks(options);
    const file = join(folder, "experiment.yaml");
    const base = { experiment: "exp", workload: { source: resolve(__dirname, "../fixtures/tiny") } };
    writeFileSync(file, stringify({ ...base, ...experiment }));
    const stack = { endpoint: "emulated", experiment: file, instanceTypes: ["cpu_4x_general"], regions: ["us-west-1"] };
    const entries = Object.entries({ ...stack, ...config }).map(([key, value]) => [
      `lambda-train:${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    pulumi.runtime.setAllConfig(Object.fromEntries(entries), secretKeys);
    const outputs = (await program()) as Outputs;
    await mocks.settled();
    return outputs;
  };
  const withData = (): object => {
    for (const split of ["train", "valid", "test"]) {
      mkdirSync(join(folder, "set", split), { recursive: true });
      writeFileSync(join(folder, "set", split, "a"), "a");
    }
    execFileSync("tar", ["-czf", join(folder, "data.tar.gz"), "-C", join(folder, "set"), "."]);
    return { dataset: { source: join(folder, "data.tar.gz") } };
  };
  const values = (outputs: Outputs): Promise<Outputs> => outputValue(pulumi.output(outputs)) as Promise<Outputs>;

  it("composes an instance and what works on it", async () => {
    await run({}, withData());
    const component = (type: string): string => `${type.toLowerCase()} lambda-train:index:${type}`;
    expect(mocks.children(undefined)).toEqual(["Machine", "Run"].map(component));
    expect(mocks.children("machine")).toEqual(
      ["Dataset", "Environment", "Gate", "Instance", "Standing", "Workspace"].map(component),
    );
    expect(mocks.children("run").slice(0, 2)).toEqual(["Evaluation", "Results"].map(component));
    for (const { name, parent, custom } of mocks.registrations) {
      if (custom) expect(name.startsWith(`${parent}-`), name).toBe(true);
    }
    expect(new Set(mocks.registrations.map(({ name }) => name)).size).toBe(mocks.registrations.length);
  });

  it("lets an instance end itself only where asked to, before a run starts, and gives no key as an input", async () => {
    const apiKey = "secret_instance_key";
    const config = { selfTerminate: "true", selfTerminateAfterMinutes: "30", selfTerminateApiKey: apiKey };
    await run(config, withData(), {}, ["lambda-train:selfTerminateApiKey"]);
    const watch = mocks.of("self-termination-watch");
    expect(watch.inputs).toMatchObject({ instanceId: "instance-vm-id", afterSeconds: 1800, loseResults: false });
    expect(JSON.stringify(mocks.registrations)).not.toContain(apiKey);
    expect(mocks.comesAfter("run-train", "self-termination")).toBe(true);
  });

  it.each(["apiKey", "selfTerminateApiKey"])("refuses %s in clear: it would get into the state", async (name) => {
    const refused = run({ [name]: "secret_in_clear" }).catch((error: Error) => error);
    const { message } = (await refused) as Error;
    expect(message).toContain(`lambda-train:${name} is "plain text"`);
    expect(message).not.toContain("secret_in_clear");
  });

  it("refuses the workload's secrets in clear, and gives the values of none as an input", async () => {
    const secrets = JSON.stringify({ HF_TOKEN: "hf_in-clear-or-not" });
    const experiment = { ...withData(), environment: { secrets: ["HF_TOKEN"] } };
    const { message } = (await run({ secrets }, experiment).catch((error: Error) => error)) as Error;
    expect(message).toContain('lambda-train:secrets.HF_TOKEN is "plain text"');
    expect(message).not.toContain("hf_in-clear-or-not");
    await run({ secrets }, experiment, {}, ["lambda-train:secrets"]);
    expect(JSON.stringify(mocks.registrations.map(({ inputs }) => inputs))).not.toContain("hf_in-clear-or-not");
    expect(mocks.of("run-train").inputs).toMatchObject({ secrets: [{ name: "HF_TOKEN" }] });
    await run({ secrets }, { ...experiment, train: { nodes: 2 } }, {}, ["lambda-train:secrets"]);
    const bringing = mocks.registrations.filter(({ type, inputs }) => type.endsWith(":Step") && "secrets" in inputs);
    expect(bringing.filter(({ name }) => name.endsWith("-train"))).toHaveLength(2);
    expect(bringing.filter(({ name }) => name.endsWith("-setup"))).toHaveLength(2);
  });

  it("gives the outputs that commands and people read, none of them secret", async () => {
    const outputs = await run({}, withData());
    for (const [name, output] of Object.entries(outputs)) {
      if (pulumi.Output.isInstance(output)) expect(await pulumi.isSecret(output), name).toBe(false);
    }
    const found = await values(outputs);
    expect(JSON.stringify(found)).not.toContain(privateKeyText);
    expect(found).toEqual({
      instanceId: "instance-vm-id",
      instanceType: "gpu_1x_a10",
      region: "us-west-1",
      instanceIp: "203.0.113.9",
      pricePerHour: 1.29,
      sshCommand: "npm run ssh -- --stack test",
      experiment: "exp",
      runStatus: "running",
      logPath: "/home/ubuntu/log",
      attachCommand: "npm run attach -- --stack test",
      dashboardUrl: "npm run dashboard -- --stack test",
      resultsDirectory: "results/test/exp",
      metrics: { "metrics/evaluation.json": { score: 0.5 } },
    });
  });

  it("holds no private key in clear in any input", async () => {
    await run({}, withData());
    const everything = JSON.stringify(mocks.registrations.map(({ inputs }) => inputs));
    expect(everything).toContain(privateKeyText);
    expect(JSON.stringify(mocks.registrations.map(({ open }) => open))).not.toContain(privateKeyText);
  });

  it("makes everything that works over SSH anew on another instance", async () => {
    await run({}, withData());
    const overSsh = mocks.registrations.filter(({ inputs }) => "access" in inputs || "connection" in inputs);
    expect(overSsh).toHaveLength(10);
    for (const { name, type, inputs, propertyDependencies, deleteBeforeReplace } of overSsh) {
      const property = type === "command:remote:Command" ? "triggers" : "instanceId";
      expect([inputs[property]].flat(), name).toContain("instance-vm-id");
      expect(propertyDependencies[property], name).toContain("instance-vm");
      if (type === "command:remote:Command") expect(deleteBeforeReplace, name).toBe(true);
      expect(mocks.comesAfter(name, "instance-boot"), name).toBe(true);
    }
  });

  it("works on the instance by the plan that is in force there, whose variables stay secret", async () => {
    const inForce = (plan: StandingPlan): StandingPlan => ({
      ...plan,
      workload: { ...plan.workload, hash: "old code", folder: "examples/hmer-ink" },
      dataset: undefined,
      environment: { ...plan.environment, hash: "old environment", variables: { TOKEN: "a-token-of-the-user" } },
      runs: plan.runs.map((each) => ({ ...each, run: { ...each.run, experiment: "old", hash: "old run" } })),
    });
    const outputs = await run({}, withData(), { inForce });
    expect(mocks.of("standing-watch").inputs.plan).toMatchObject({ runs: [{ run: { experiment: "exp" } }] });
    expect(mocks.of("standing-watch").open.plan).toBe("[secret]");
    expect(mocks.of("workspace-code").inputs).toMatchObject({ hash: "old code", source: "examples/hmer-ink" });
    expect(mocks.children("machine").join()).not.toContain("dataset");
    expect(mocks.of("environment-setup").inputs.stdin).toContain("old environment");
    expect(mocks.of("results-guard").inputs.run).toMatchObject({ experiment: "old", hash: "old run" });
    expect(outputs.experiment).toBe("old");
    expect(JSON.stringify(mocks.registrations.map(({ open }) => open))).not.toContain("a-token-of-the-user");
  });

  it("goes in the one order in which nothing is lost", async () => {
    await run({}, withData());
    const order = [
      ["instance-vm", "instance-launches"],
      ["instance-boot", "instance-vm"],
      ["workspace-code", "instance-boot"],
      ["dataset-extract", "workspace-code"],
      ["dataset-extract", "dataset-upload"],
      ["environment-setup", "workspace-code"],
      ["gate-verify", "dataset-extract"],
      ["gate-verify", "environment-setup"],
      ["results-guard", "environment-setup"],
      ["results-guard", "dataset-extract"],
      ["run-train", "gate-verify"],
      ["run-train", "results-guard"],
      ["run-watch", "run-train"],
      ["evaluation-watch", "run-watch"],
    ] as const;
    for (const [later, earlier] of order) expect(mocks.comesAfter(later, earlier), `${later}, ${earlier}`).toBe(true);
    // Code and data come side by side, then setup and data.
    expect(mocks.comesAfter("dataset-upload", "workspace-code")).toBe(false);
    expect(mocks.comesAfter("environment-setup", "dataset-extract")).toBe(false);
    expect(mocks.comesAfter("dataset-extract", "environment-setup")).toBe(false);
    // What is deleted first is what came last: the results come home before anything under them goes.
    for (const name of ["instance-vm", "instance-boot", "workspace-code", "dataset-extract", "environment-setup"])
      expect(mocks.comesAfter("results-guard", name), name).toBe(true);
    expect(mocks.of("run-train").propertyDependencies.triggers).toEqual(["instance-vm", "results-guard"]);
  });

  it("has no part for what the experiment does without", async () => {
    const outputs = await run({}, { evaluate: null, dashboard: null, environment: { setup: null } });
    expect(mocks.children("machine").map((each) => each.split(" ")[0])).toEqual([
      "environment",
      "gate",
      "instance",
      "standing",
      "workspace",
    ]);
    expect(mocks.children("run").map((each) => each.split(" ")[0])).toEqual(["results", "run-train", "run-watch"]);
    expect(mocks.comesAfter("gate-verify", "environment-setup")).toBe(true);
    // An instance that is gone is not dialled for minutes.
    const { dialErrorLimit, perDialTimeout } = mocks.of("environment-setup").inputs.connection as Record<
      string,
      number
    >;
    expect(Number(dialErrorLimit) * Number(perDialTimeout)).toBeLessThanOrEqual(60);
    const found = await values(outputs);
    expect(found.metrics).toEqual({});
    // One that is there without a value would be warned of.
    expect(found).not.toHaveProperty("dashboardUrl");
  });

  it("is previewed in full, with what only a launch can tell left open", async () => {
    const outputs = await run({}, withData(), { preview: true });
    expect(mocks.registrations).toHaveLength(29);
    for (const name of ["instanceId", "instanceIp", "runStatus", "metrics"] as const)
      expect(await isKnown(outputs[name] as pulumi.Output<unknown>), name).toBe(false);
    expect(outputs.experiment).toBe("exp");
  });

  it("tells the user what is wrong with the configuration, without a stack trace", async () => {
    await expect(run({ regions: ["Mars"], budgetDollars: "-1" }, { experiment: "no name" })).rejects.toSatisfy(
      (error) =>
        pulumi.RunError.isInstance(error) &&
        ["lambda-train:regions.0", "lambda-train:budgetDollars", "experiment.yaml: experiment"].every((field) =>
          error.message.includes(field),
        ),
    );
    expect(mocks.registrations).toEqual([]);
  });

  describe("lets SSH in", () => {
    const networks = (): unknown[] => {
      const { rules } = mocks.of("instance-firewall-us-west-1").inputs;
      return (rules as { sourceNetwork: string }[]).map(({ sourceNetwork }) => sourceNetwork);
    };
    /** The services that tell this machine's address answer in turn; undefined for no answer at all. */
    const services = (...bodies: (string | undefined)[]): void => {
      const agent = new MockAgent();
      agent.disableNetConnect();
      for (const [index, origin] of ["https://checkip.amazonaws.com", "https://api.ipify.org"].entries()) {
        const body = bodies[index];
        const asked = agent.get(origin).intercept({ path: "/" });
        if (body === undefined) asked.replyWithError(new Error("no route"));
        else asked.reply(body.startsWith("5") ? 503 : 200, body);
      }
      setGlobalDispatcher(agent);
    };
    const lambda = "https://cloud.lambda.ai/api/v1";

    it("from the networks that are given", async () => {
      await run({ endpoint: lambda, sshSources: ["198.51.100.7", "203.0.113.0/24"] });
      expect(networks()).toEqual(["198.51.100.7/32", "203.0.113.0/24"]);
    });

    it("from this machine, as the emulated cloud sees it", async () => {
      services();
      await run({ sshSources: "auto" });
      expect(networks()).toEqual(["127.0.0.1/32"]);
    });

    it.each([
      ["the first service says", "192.0.2.5\n", undefined, "192.0.2.5/32"],
      ["the second says, where the first does not answer", undefined, "192.0.2.6", "192.0.2.6/32"],
      ["the second says, where the first answers something else", "<html>sign in</html>", "192.0.2.6", "192.0.2.6/32"],
      ["the second says, where the first has no such network", "999.0.2.5", "192.0.2.6", "192.0.2.6/32"],
      ["the second says, where the first is broken", "503", "192.0.2.6", "192.0.2.6/32"],
    ])("from the address that %s", async (_name, first, second, expected) => {
      services(first, second);
      await run({ endpoint: lambda });
      expect(networks()).toEqual([expected]);
    });

    it("from nowhere yet in a preview without a network, and says how to name an address in an up", async () => {
      services();
      await run({ endpoint: lambda }, {}, { preview: true });
      expect(mocks.registrations.map(({ name }) => name)).toContain("instance-firewall-us-west-1");
      await expect(run({ endpoint: lambda })).rejects.toThrow("lambda-train:sshSources is auto");
    });
  });
});
