import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Dataset } from "../../components/dataset";
import { Environment } from "../../components/environment";
import { Evaluation } from "../../components/evaluation";
import { Gate } from "../../components/gate";
import { Results } from "../../components/results";
import { Run } from "../../components/run";
import { Workspace } from "../../components/workspace";
import { projectFolder } from "../../local/paths";
import type { DatasetSource, Job } from "../../plan/types";
import { renderExtract, renderSetup, renderVerify } from "../../remote/scripts";
import { renderStart } from "../../remote/start";
import { machineOf, testPlan } from "../remote/plan";
import { type Mocks, outputValue } from "../support/mocks";
import { access, privateKeyText, startMocks, wholePlan } from "./resources/cloud-answers";

const dynamic = "pulumi-nodejs:dynamic/lambda-train";
const command = "command:remote:Command";

let mocks: Mocks;
beforeEach(async () => {
  mocks = await startMocks();
});
afterEach(() => mocks.settled());

const plan = wholePlan(testPlan());
const place = () => ({ instanceId: pulumi.output("i1"), access: pulumi.secret(access) });
const on = { type: "cpu_4x_general", region: "us-east-1" };
const bill = pulumi.output({ launchedAt: "2026-01-01T00:00:00Z", priceCentsPerHour: 20, ...on });

/** Registrations that work over SSH, by name. */
function overSsh(): string[] {
  return mocks.registrations
    .filter(({ inputs }) => "access" in inputs || "connection" in inputs)
    .map((each) => each.name);
}

/** That a resource is another one on another instance, and keeps how to reach it secret. */
function expectOnInstance(name: string): void {
  const { inputs, open, type, deleteBeforeReplace } = mocks.of(name);
  if (type === command) {
    expect(inputs.triggers).toContain("i1");
    expect(inputs.connection).toMatchObject(access);
    expect(open.connection).toBe("[secret]");
    expect(deleteBeforeReplace).toBe(true);
  } else {
    expect(inputs).toMatchObject({ instanceId: "i1", access });
    expect(open.access).toBe("[secret]");
  }
  expect(JSON.stringify(open)).not.toContain(privateKeyText);
}

/** Hash of a dataset from this source, once it is in place. */
async function placed(source: DatasetSource, change: Partial<Job> = {}): Promise<string> {
  const dataset = { source, target: "data", splits: ["train"], hash: "d1" };
  return outputValue(new Dataset("data", { ...place(), plan: { ...plan, ...change, dataset } }).hash);
}

describe("a workspace", () => {
  const workload = {
    ...plan.workload,
    name: "ink",
    folder: join(projectFolder(), "examples", "hmer-ink"),
    extraFiles: { ".lambda-train/exp.yaml": "steps: 1\n" },
    protectedPaths: ["outputs", "data"],
    hash: "w1",
  };

  it("is one upload of the code, and has its hash", async () => {
    const { hash } = new Workspace("code", { ...place(), workload, endpoint: "emulated" });
    expect(await outputValue(hash)).toBe("w1");
    expect(mocks.children("code")).toEqual([`code-code ${dynamic}:Upload`]);
    expect(mocks.of("code-code").inputs).toMatchObject({
      kind: "code",
      source: "examples/hmer-ink",
      target: "ink",
      extraFiles: workload.extraFiles,
      protectedPaths: workload.protectedPaths,
      hash: "w1",
    });
    expectOnInstance("code-code");
  });

  it("names a folder of the project so that another checkout sees no change, and any other by its whole path", async () => {
    await outputValue(
      new Workspace("a", { ...place(), endpoint: "emulated", workload: { ...workload, folder: projectFolder() } }).hash,
    );
    await outputValue(
      new Workspace("b", {
        ...place(),
        endpoint: "emulated",
        workload: { ...workload, folder: `${projectFolder()}-2/x` },
      }).hash,
    );
    await outputValue(
      new Workspace("c", { ...place(), endpoint: "emulated", workload: { ...workload, folder: "/elsewhere" } }).hash,
    );
    const sources = ["a-code", "b-code", "c-code"].map((name) => mocks.of(name).inputs.source);
    expect(sources).toEqual([".", `${projectFolder()}-2/x`, "/elsewhere"]);
  });
});

describe("a dataset", () => {
  it("that is a folder goes to its place, and is checked there", async () => {
    expect(await placed({ kind: "folder", path: join(projectFolder(), "my data") })).toBe("d1");
    expect(mocks.children("data")).toEqual([`data-extract ${command}`, `data-upload ${dynamic}:Upload`]);
    expect(mocks.of("data-upload").inputs).toMatchObject({
      kind: "folder",
      source: "my data",
      target: "work/data",
      hash: "d1",
    });
    expect(mocks.comesAfter("data-extract", "data-upload")).toBe(true);
    for (const name of overSsh()) expectOnInstance(name);
    expect(overSsh()).toHaveLength(2);
  });

  it("that is an archive goes where it is extracted from", async () => {
    await placed({ kind: "archive", path: "/elsewhere/data.tar.gz" });
    const { inputs } = mocks.of("data-upload");
    expect(inputs).toMatchObject({ kind: "archive", source: "/elsewhere/data.tar.gz", hash: "d1" });
    expect(mocks.of("data-extract").inputs.stdin).toContain(`"path":${JSON.stringify(inputs.target)},`);
    expect(mocks.comesAfter("data-extract", "data-upload")).toBe(true);
  });

  it.each([
    ["beside the code in a folder of its own", "data", false],
    ["after the code, whose folder may be a link, in one below another", "data/sets", true],
  ])("comes %s", async (_, target, isAfter) => {
    const { workload } = plan;
    const workspace = new Workspace("code", { ...place(), workload, endpoint: "emulated" });
    const dataset = { source: { kind: "folder", path: "/data" }, target, splits: [], hash: "d1" } as const;
    const planned = { ...machineOf(plan), dataset };
    const made = new Dataset("data", { ...place(), plan: planned, workspace });
    const gate = new Gate("gate", { ...place(), plan: planned }, { dependsOn: made.brought });
    await Promise.all([outputValue(made.hash), outputValue(gate.evidence)]);
    expect(mocks.comesAfter("data-upload", "code-code")).toBe(isAfter);
    expect(mocks.comesAfter("data-extract", "code-code")).toBe(true);
    expect(mocks.comesAfter("gate-verify", "data-upload")).toBe(true);
    expect(mocks.comesAfter("gate-verify", "data-extract")).toBe(false);
  });

  it.each<DatasetSource>([
    { kind: "url", url: "https://example.org/data.tar.gz" },
    { kind: "fileSystem", path: "/lambda/nfs/weights/data" },
  ])("of kind $kind is nothing that this machine uploads", async (source) => {
    expect(await placed(source)).toBe("d1");
    expect(mocks.children("data")).toEqual([`data-extract ${command}`]);
    expectOnInstance("data-extract");
  });

  it("needs a plan that has one", () => {
    expect(() => new Dataset("data", { ...place(), plan: testPlan() })).toThrow("a plan with a dataset");
  });
});

describe("a command on the instance", () => {
  it("gets its script by standard input alone, and patience for a connection that is refused", async () => {
    await outputValue(new Environment("env", { ...place(), plan: machineOf(plan) }).hash);
    const { inputs } = mocks.of("env-setup");
    expect(inputs).toMatchObject({
      create: "bash -s",
      stdin: renderSetup(machineOf(plan)),
      addPreviousOutputInEnv: false,
    });
    expect(inputs).not.toHaveProperty("update");
    expect(inputs).not.toHaveProperty("delete");
    expect(inputs.connection).toMatchObject({ dialErrorLimit: 12, perDialTimeout: 5, hostKey: access.hostKey });
  });

  it.each([
    [
      "env-setup",
      () => new Environment("env", { ...place(), plan: machineOf(plan) }).hash,
      () => renderSetup(machineOf(plan)),
    ],
    ["data-extract", () => new Dataset("data", { ...place(), plan }).hash, () => renderExtract(plan)],
    [
      "gate-verify",
      () => new Gate("gate", { ...place(), plan: machineOf(plan) }).evidence,
      () => renderVerify(machineOf(plan)),
    ],
    ["run-train", () => new Run("run", { ...place(), plan, bill }).logPath, () => renderStart(plan, { on })],
  ])("%s runs its own script", async (name, make, script) => {
    await outputValue<unknown>(make());
    expect(mocks.of(name).parent).toBe(name.split("-")[0]);
    expect(String(mocks.of(name).inputs.stdin)).toContain(script());
    expectOnInstance(name);
  });
});

describe("an environment", () => {
  it("has the hash of the setup that finished", async () => {
    expect(await outputValue(new Environment("env", { ...place(), plan: machineOf(plan) }).hash)).toBe("e1");
    expect(mocks.children("env")).toEqual([`env-setup ${command}`]);
  });
});

describe("a gate", () => {
  /** The gate's script for a plan with changes. */
  const script = async (name: string, change: Partial<Job> = {}): Promise<unknown> => {
    await outputValue(new Gate(name, { ...place(), plan: machineOf({ ...plan, ...change }) }).evidence);
    return mocks.of(`${name}-verify`).inputs.stdin;
  };

  it("shows its evidence", async () => {
    expect(await outputValue(new Gate("gate", { ...place(), plan: machineOf(plan) }).evidence)).toBe(
      "ok disk: 5 GiB free",
    );
    expect(mocks.children("gate")).toEqual([`gate-verify ${command}`]);
  });

  it("checks again when gate, environment, dataset or the command that trains change, and only then", async () => {
    const before = await script("a");
    expect(await script("b", { run: { ...plan.run, graceSeconds: 99 } })).toBe(before);
    expect(await script("b2", { run: { ...plan.run, command: "other" } })).not.toBe(before);
    expect(await script("c", { gate: { ...plan.gate, minDiskGiB: 7 } })).not.toBe(before);
    expect(await script("d", { environment: { ...plan.environment, hash: "e2" } })).not.toBe(before);
    expect(await script("e", { dataset: { ...wholePlan(plan).dataset, hash: "d2" } as Job["dataset"] })).not.toBe(
      before,
    );
    expect(await script("f", { dataset: undefined })).not.toBe(before);
  });
});

describe("results", () => {
  it("are one guard that knows all that it needs to bring them home", async () => {
    const results = new Results("results", { ...place(), plan });
    expect(await outputValue(results.guardId)).toBe("results-guard-id");
    expect(await outputValue(results.directory)).toBe("results/test/exp");
    expect(mocks.children("results")).toEqual([`results-guard ${dynamic}:Results`]);
    expect(mocks.of("results-guard").inputs).toMatchObject({
      endpoint: "emulated",
      run: plan.run,
      evaluation: plan.evaluation,
      workspace: "work",
      directory: "results/test",
    });
    expectOnInstance("results-guard");
  });

  it("of a run without an evaluation ask for none", async () => {
    await outputValue(new Results("results", { ...place(), plan: testPlan() }).guardId);
    expect(mocks.of("results-guard").inputs.evaluation).toBeUndefined();
  });
});

describe("a run", () => {
  it("is told when the instance will have cost its budget, as soon as its price is known", async () => {
    const limited = { ...plan, cloud: { ...plan.cloud, budgetDollars: 1 } };
    await outputValue(new Run("run", { ...place(), plan: limited, bill }).logPath);
    const script = renderStart(limited, { spentAt: Date.parse("2026-01-01T05:00:00Z"), on });
    expect(String(mocks.of("run-train").inputs.stdin)).toContain(script);
    expect(script).toContain(`"deadline":${Date.parse("2026-01-01T05:00:00Z") / 1000 - plan.run.graceSeconds}}`);
    expect(mocks.of("run-watch").inputs.startScript).toBe(script);
  });

  const started = async (change: Partial<Job> = {}): Promise<Run> => {
    const run = new Run("run", { ...place(), plan: { ...plan, ...change }, bill });
    await outputValue(pulumi.all([run.logPath, run.metrics, run.directory]));
    return run;
  };

  it("is the guard of its results, a start, a watch and an evaluation", async () => {
    const run = await started();
    expect(mocks.children("run")).toEqual([
      "evaluation lambda-train:index:Evaluation",
      "results lambda-train:index:Results",
      `run-train ${command}`,
      `run-watch ${dynamic}:Run`,
    ]);
    expect(await outputValue(run.directory)).toBe("results/test/exp");
    expect(await outputValue(run.metrics)).toEqual({ "metrics/evaluation.json": { score: 0.5 } });
    expect(await outputValue(run.state)).toBe("running");
    expect(await outputValue(run.logPath)).toBe("/home/ubuntu/log");
    expect(mocks.of("run-watch").inputs).toMatchObject({
      startId: "run-train-id",
      run: plan.run,
      dashboard: plan.dashboard,
      workspace: "work",
      standsOn: "code w, dataset d1, environment e1",
    });
    expect(mocks.of("run-watch").propertyDependencies.startId).toEqual(["run-train"]);
    for (const name of ["run-train", "run-watch"]) expectOnInstance(name);
  });

  it("cannot start without the guard of its results, and is another one under another guard", async () => {
    await started();
    expect(mocks.of("run-train").inputs.triggers).toEqual(["i1", "results-guard-id"]);
    expect(mocks.of("run-train").propertyDependencies.triggers).toEqual(["results-guard"]);
  });

  it("is started by the same script that a later up uses to start it again", async () => {
    await started();
    const { startScript } = mocks.of("run-watch").inputs;
    expect(startScript).toBe(renderStart(plan, { on }));
    expect(String(mocks.of("run-train").inputs.stdin)).toContain(String(startScript));
  });

  it("is started by changed code too: one that failed begins again, one that goes on is let be", async () => {
    await started();
    const before = mocks.of("run-train").inputs.stdin;
    await mocks.settled();
    mocks = await startMocks();
    await started({ workload: { ...plan.workload, hash: "w2" } });
    expect(mocks.of("run-train").inputs.stdin).not.toBe(before);
    expect(mocks.of("run-watch").inputs.standsOn).toContain("w2");
  });

  it("without a dashboard has none", async () => {
    await started({ dashboard: undefined });
    expect(mocks.of("run-watch").inputs.dashboard).toBeUndefined();
  });
});

describe("an evaluation", () => {
  it("is a watch that belongs to the run's start", async () => {
    const evaluation = new Evaluation("evaluation", { ...place(), plan, startId: "s1", attempt: 2 });
    expect(await outputValue(evaluation.metrics)).toEqual({ "metrics/evaluation.json": { score: 0.5 } });
    expect(mocks.children("evaluation")).toEqual([`evaluation-watch ${dynamic}:Evaluation`]);
    expect(mocks.of("evaluation-watch").inputs).toMatchObject({
      startId: "s1",
      attempt: 2,
      run: plan.run,
      evaluation: plan.evaluation,
      workspace: "work",
    });
    expectOnInstance("evaluation-watch");
  });

  it("needs a plan that has one", () => {
    expect(() => new Evaluation("evaluation", { ...place(), plan: testPlan(), startId: "s1", attempt: 1 })).toThrow(
      "a plan with an evaluation",
    );
  });
});

describe("environment variables of an experiment", () => {
  it("are secret in everything that the state keeps, and nothing is secret for their sake where there are none", async () => {
    const held = async (variables: Record<string, string>): Promise<string> => {
      const whole: Job = {
        ...plan,
        environment: { ...plan.environment, variables },
        run: { ...plan.run, variables },
      };
      const environment = new Environment("env", { ...place(), plan: machineOf(whole) });
      const run = new Run("run", { ...place(), plan: whole, bill });
      await outputValue(pulumi.all([environment.hash, run.state, run.metrics]));
      return JSON.stringify(mocks.registrations.map(({ open }) => open));
    };
    expect(await held({ WANDB_API_KEY: "a-token-of-the-user" })).not.toContain("a-token-of-the-user");
    await mocks.settled();
    mocks = await startMocks();
    expect(await held({})).toContain(plan.run.command);
  });
});
