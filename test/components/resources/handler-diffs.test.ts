import { describe, expect, it, vi } from "vitest";
import { sameValue } from "../../../components/dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../../../components/dynamic/handler";
import { unknownValue } from "../../../components/dynamic/unknown";
import { handler as evaluations } from "../../../components/resources/evaluation-handler";
import { handler as fileSystems } from "../../../components/resources/file-system-handler";
import { handler as guards } from "../../../components/resources/results-handler";
import { handler as runs } from "../../../components/resources/run-handler";
import { handler as selfTerminations } from "../../../components/resources/self-termination-handler";
import { handler as standings } from "../../../components/resources/standing-handler";
import { handler as uploads } from "../../../components/resources/upload-handler";
import { standingPlan, testPlan } from "../../remote/plan";
import { access } from "./cloud-answers";

const context: HandlerContext = {
  config: () => undefined,
  progress: () => {},
  status: () => {},
  engineAlive: async () => true,
  interrupted: new AbortController().signal,
};
const { run } = testPlan();
const place = { instanceId: "i1", access };
const evaluation = { command: "make evaluate", checkpoint: "best*", metrics: "*.json", timeoutSeconds: 60 };

/** `none`, `update`, or the names of the inputs whose change replaces. */
type Decision = "none" | "update" | readonly string[];

/** Decisions of a handler about changes of one input each. */
async function decide<I extends object, O extends I>(
  handler: DynamicHandler<I, O>,
  olds: O,
  change: object,
): Promise<Decision> {
  const {
    changes,
    replaces = [],
    deleteBeforeReplace,
  } = await handler.diff("id", olds, { ...olds, ...change }, context);
  if (!changes) return "none";
  // Two of them at a time would both stop, start or fetch the same run.
  expect(deleteBeforeReplace).toBe(true);
  return replaces.length > 0 ? replaces : "update";
}

/** What holds for everything that works over SSH. */
const anywhere: [string, object, Decision][] = [
  ["nothing", {}, "none"],
  ["the provider's text", { __provider: "other" }, "none"],
  ["the instance", { instanceId: "i2" }, ["instanceId"]],
  ["an instance that is not launched yet", { instanceId: unknownValue }, ["instanceId"]],
  ["the address", { access: { ...access, host: "203.0.113.10" } }, "update"],
  ["a key that is not known yet", { access: { ...access, privateKey: unknownValue } }, "update"],
  ["all of the access not known yet", { access: unknownValue }, "update"],
];

it("a value that is not known yet equals nothing, not even what was not known before", () => {
  for (const value of [unknownValue, { host: unknownValue }, [[unknownValue]]]) {
    expect(sameValue(value, value)).toBe(false);
  }
  expect(sameValue({ a: 1, b: undefined }, { a: 1, c: null })).toBe(true);
});

describe("diff of an upload", () => {
  const olds = {
    ...place,
    kind: "code" as const,
    source: "examples/hmer-ink",
    target: "hmer-ink",
    extraFiles: { "a.yaml": "x" },
    protectedPaths: ["outputs"],
    hash: "h1",
  };

  it.each<[string, object, Decision]>([
    ...anywhere,
    ["the content", { hash: "h2" }, "update"],
    ["content that is not known yet", { hash: unknownValue }, "update"],
    ["another folder with the same content", { source: "/elsewhere" }, "none"],
    ["extra files, which the hash covers", { extraFiles: {} }, "none"],
    ["protected paths", { protectedPaths: ["outputs", "data"] }, "update"],
    ["no protected paths", { protectedPaths: undefined }, "update"],
    ["the place", { target: "ink" }, ["target"]],
    ["what it is", { kind: "folder" }, ["kind"]],
    ["place and instance", { target: "ink", instanceId: "i2" }, ["instanceId", "target"]],
  ])("of %s", async (_name, change, expected) => {
    expect(await decide(uploads, olds, change)).toEqual(expected);
  });
});

describe("diff of a guard of results", () => {
  const olds = {
    ...place,
    endpoint: "emulated",
    run,
    evaluation,
    workspace: "work",
    directory: "results/test",
    folder: "results/test/exp",
  };

  it.each<[string, object, Decision]>([
    ...anywhere,
    ["the experiment", { run: { ...run, experiment: "exp-2" } }, ["run"]],
    ["experiment and instance", { run: { ...run, experiment: "exp-2" }, instanceId: "i2" }, ["instanceId", "run"]],
    ["all else of the run", { run: { ...run, command: "other", graceSeconds: 1, hash: "r2" } }, "update"],
    ["a run that is not known yet", { run: unknownValue }, ["run"]],
    ["the evaluation", { evaluation: { ...evaluation, metrics: "**" } }, "update"],
    ["no evaluation any more", { evaluation: undefined }, "update"],
    ["the workspace", { workspace: "ink" }, "update"],
    ["the local folder", { directory: "elsewhere" }, "update"],
    ["the endpoint", { endpoint: "https://cloud.lambda.ai/api/v1" }, "update"],
    ["an output", { folder: "x" }, "none"],
  ])("of %s", async (_name, change, expected) => {
    expect(await decide(guards, olds, change)).toEqual(expected);
  });

  it("an update changes where the results will lie, and touches neither instance nor results", async () => {
    const { update, create } = guards as Required<typeof guards>;
    const { folder: _, ...news } = { ...olds, directory: "elsewhere" };
    expect(await update("id", olds, news, context)).toEqual({ ...news, folder: "elsewhere/exp" });
    expect(await create(news, context)).toEqual({ id: "i1:exp", outs: { ...news, folder: "elsewhere/exp" } });
  });
});

describe("diff of a run", () => {
  const olds = {
    ...place,
    endpoint: "lambda",
    startId: "s1",
    run,
    workspace: "work",
    dashboard: { command: "make dashboard", port: 8501 },
    startScript: "start",
    standsOn: "c1",
    state: "running" as const,
    attempt: 1,
    logPath: "/log",
  };

  it.each<[string, object, Decision]>([
    ...anywhere,
    ["its start", { startId: "s2" }, ["startId"]],
    ["a start that is not known yet", { startId: unknownValue }, ["startId"]],
    ["the code", { standsOn: "c2" }, "update"],
    ["the command", { run: { ...run, command: "other", hash: "r2" } }, "update"],
    ["what up waits for", { run: { ...run, waitFor: "end" } }, "update"],
    ["the workspace", { workspace: "ink" }, "update"],
    ["the dashboard", { dashboard: { command: "make dashboard", port: 8502 } }, "update"],
    ["no dashboard any more", { dashboard: undefined }, "update"],
    ["the text of the start script alone", { startScript: "other" }, "none"],
    ["outputs", { state: "finished", attempt: 2, logPath: "/other" }, "none"],
  ])("of %s", async (_name, change, expected) => {
    expect(await decide(runs, olds, change)).toEqual(expected);
  });

  it.each([
    ["failed", "update"],
    ["starting", "none"],
    ["running", "none"],
    ["evaluating", "none"],
    ["finished", "none"],
  ] as const)("of one that a refresh has seen %s is %s", async (state, expected) => {
    expect(await decide(runs, { ...olds, state }, {})).toBe(expected);
  });

  it.each([
    ["user", "update"],
    ["interrupt", "update"],
    ["restart", "update"],
    ["limit", "none"],
    ["idle", "none"],
    ["budget", "none"],
    // As a release before recorded it: only a look tells who stopped it.
    [undefined, "update"],
  ])("of one that a refresh has seen stopped by %s is %s", async (stopReason, expected) => {
    expect(await decide(runs, { ...olds, state: "stopped", stopReason }, {})).toBe(expected);
    // It may be about to end, as a rank whose company was lost.
    expect(await decide(runs, { ...olds, state: "running", stopReason }, {})).toBe(
      stopReason === undefined ? "none" : expected,
    );
  });
});

describe("diff of what is in force", () => {
  const olds = { ...place, onChange: "wait" as const, plan: standingPlan(testPlan()) };

  it.each<[string, object, Decision]>([
    ...anywhere,
    ["what becomes of a run that goes on", { onChange: "restart" }, "update"],
    ["the code", { plan: standingPlan(testPlan({ workload: { ...olds.plan.workload, hash: "w2" } })) }, "update"],
    ["a limit alone", { plan: standingPlan(testPlan({ run: { maxSeconds: 60 } })) }, "update"],
  ])("of %s", async (_name, change, expected) => {
    expect(await decide(standings, olds, change)).toEqual(expected);
  });

  it("of the same plan, as a release kept it that knew one run a machine, is none", async () => {
    const { runs, ...rest } = olds.plan;
    const { run: only, evaluation, dashboard } = runs[0] ?? testPlan();
    const kept = { ...olds, plan: { ...rest, run: only, evaluation, dashboard } };
    expect(standings.diff("i1", kept as never, olds, context)).toMatchObject({ changes: false });
  });
});

describe("diff of an evaluation", () => {
  const olds = {
    ...place,
    startId: "s1",
    attempt: 1,
    run,
    evaluation,
    workspace: "work",
    state: "pending" as const,
    metrics: {},
  };

  it.each<[string, object, Decision]>([
    ...anywhere,
    ["the run's start", { startId: "s2" }, ["startId"]],
    ["a start that is not known yet", { startId: unknownValue }, ["startId"]],
    ["the run", { run: { ...run, command: "other" } }, "update"],
    ["another start of the same experiment", { attempt: 2 }, "update"],
    ["the metrics' place", { evaluation: { ...evaluation, metrics: "**" } }, "update"],
    ["the workspace", { workspace: "ink" }, "update"],
    ["outputs", { state: "done", metrics: { a: 1 } }, "none"],
  ])("of %s", async (_name, change, expected) => {
    expect(await decide(evaluations, olds, change)).toEqual(expected);
  });
});

it("a plan that is in force is looked at again where somebody has asked for a restart", () => {
  const olds = { ...place, onChange: "wait" as const, plan: standingPlan(testPlan()) };
  vi.stubEnv("LAMBDA_TRAIN_RESTART", "yes");
  expect(standings.diff("i1", olds, olds, context)).toMatchObject({ changes: true, replaces: [] });
  const restarted = olds.plan.runs.map(({ run: each }) => each.hash).join(" ");
  expect(standings.diff("i1", { ...olds, restarted }, olds, context)).toMatchObject({ changes: false });
  vi.unstubAllEnvs();
});

it("the watch of an earlier agent is replaced by that of this one, in place", async () => {
  const olds = { ...place, endpoint: "emulated", afterSeconds: 900, loseResults: false, agent: "a", keyMark: "" };
  const diff = (agent?: string) => selfTerminations.diff("i1", { ...olds, agent }, { ...olds, agent: "b" }, context);
  expect(await diff("b")).toMatchObject({ changes: false });
  for (const agent of ["a", undefined]) expect(await diff(agent)).toMatchObject({ changes: true, replaces: [] });
});

it("a file system stays in its region while that may be used", () => {
  const olds = { name: "w", region: "us-east-1", create: true, mountPoint: "/lambda/nfs/w", created: true };
  const diff = (regions?: string[]) =>
    fileSystems.diff("f1", olds, { name: "w", region: "us-west-1", regions, create: true }, context);
  expect(diff(["us-west-1", "us-east-1"])).toMatchObject({ changes: false });
  expect(diff(["us-west-1"])).toMatchObject({ replaces: ["region"] });
  expect(diff()).toMatchObject({ replaces: ["region"] });
});
