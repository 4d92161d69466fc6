import { describe, expect, it } from "vitest";
import { type LifecycleFacts, lifecycleOf } from "../../../cli/page/lifecycle";
import { notAsked } from "../../../cli/stack/look";
import { type RunReport, reportsOf, type StackReport } from "../../../cli/stack/report";
import type { JobView } from "../../../cli/stack/stack-view";
import type { MachineLook } from "../../../remote/machine";
import type { RunStatus } from "../../../remote/types";

const start = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number): number => start + seconds * 1000;
const iso = (seconds: number): string => new Date(at(seconds)).toISOString();

/** A stack whose resources of these names were made at these seconds. */
function viewWith(done: Record<string, number>, underWay: string[] = []): JobView {
  return {
    stack: "test",
    machine: "machine",
    instance: { id: "i", type: "gpu_1x_a10", region: "us-east-1", priceCents: 100, launchedAt: iso(10) },
    evaluation: { command: "true", checkpoint: "*", metrics: "*", timeoutSeconds: 1 },
    progress: {
      done: Object.fromEntries(Object.entries(done).map(([name, time]) => [name, { first: at(time), last: at(time) }])),
      underWay,
    },
  };
}

function reportWith(job: JobView, run: RunReport): StackReport | undefined {
  return reportsOf({ stack: "test", machines: [job], runs: [] }, notAsked, [{ job, run }])[0]?.report;
}

const launched = { "instance-launches": 5, "instance-vm": 10, "instance-boot": 70 };
const ready = { ...launched, "workspace-code": 72, "dataset-extract": 75, "environment-setup": 90, "gate-verify": 95 };

function lookWith(steps: MachineLook["steps"]): MachineLook {
  const bytes = { totalBytes: 1, freeBytes: 1 };
  const cpu = { count: 1, busyTicks: 0, totalTicks: 0 };
  return { now: 0, cpu, memory: bytes, disk: bytes, gpus: [], steps, evaluatedAt: null, checkpoints: [] };
}

const short = (facts: Partial<LifecycleFacts>): string[] =>
  lifecycleOf({ skewMs: 0, ...facts }).map(({ name, state, startedAt, endedAt }) => {
    const time = startedAt === undefined ? "" : endedAt === undefined ? " …" : ` ${(endedAt - startedAt) / 1000} s`;
    return `${name} ${state}${time}`;
  });

const waiting = (...names: string[]): string[] => names.map((name) => `${name} waiting`);
const all = ["launch", "boot", "code", "dataset", "setup", "gate", "training", "evaluation", "results"];

describe("the steps of a run's life", () => {
  it("all lie ahead without an instance", () => {
    expect(short({})).toEqual(waiting(...all));
    expect(short({ view: { stack: "test", machine: "machine", progress: { done: {}, underWay: [] } } })).toEqual(
      waiting(...all),
    );
  });

  it("boot, once it is launched", () => {
    const view = viewWith({ "instance-launches": 5, "instance-vm": 10 }, ["instance-boot"]);
    expect(short({ view })).toEqual(["launch done 5 s", "boot active …", ...waiting(...all.slice(2))]);
  });

  it("set up by the records of the instance, whose clock may differ", () => {
    const setup = { startedAt: at(72) / 1000 - 3600, endedAt: null, exitCode: null, lastLine: "Collecting torch" };
    const facts = { view: viewWith(launched), machine: lookWith({ setup }), skewMs: 3_600_000 };
    expect(short(facts).slice(1, 5)).toEqual(["boot done 60 s", "code waiting", "dataset waiting", "setup active …"]);
    const [, , , , step] = lifecycleOf(facts);
    expect(step).toMatchObject({ startedAt: at(72), detail: "Collecting torch" });
  });

  it("fail where a step did, with its last line", () => {
    const setup = { startedAt: at(72) / 1000, endedAt: at(80) / 1000, exitCode: 7, lastLine: "no such channel" };
    const [, , , , step] = lifecycleOf({ view: viewWith(launched), machine: lookWith({ setup }), skewMs: 0 });
    expect(step).toMatchObject({ name: "setup", state: "failed", detail: "no such channel" });
  });

  it("end with evaluation and results", () => {
    const view = viewWith(ready);
    const run: RunStatus = {
      state: "finished",
      experiment: "e",
      logPath: "/l",
      now: 0,
      startedAt: iso(100),
      endedAt: iso(160),
      evaluation: { state: "done" },
    };
    const machine = { ...lookWith({}), evaluatedAt: at(165) / 1000 };
    const report = reportWith(view, run);
    expect(short({ view, report, machine, resultsAt: at(200) }).slice(5)).toEqual([
      "gate done 5 s",
      "training done 60 s",
      "evaluation done 5 s",
      "results done",
    ]);
    const failed = reportWith(view, { ...run, state: "failed", evaluation: { state: "pending" } });
    expect(short({ view, report: failed }).slice(6)).toEqual([
      "training failed 60 s",
      ...waiting("evaluation", "results"),
    ]);
  });

  it("have no length where they were done again later: when they began is not known", () => {
    const view = viewWith(ready);
    const again = { ...view.progress.done, "workspace-code": { first: at(72), last: at(5000) } };
    const steps = lifecycleOf({ view: { ...view, progress: { done: again, underWay: [] } }, skewMs: 0 });
    expect(steps[2]).toEqual({ name: "code", state: "done", endedAt: at(5000) });
  });
});
