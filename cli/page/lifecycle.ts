import type { MachineLook, StepLook } from "../../remote/machine";
import { hasEnded } from "../../remote/run";
import type { StackReport } from "../stack/report";
import type { JobView, StackProgress } from "../stack/stack-view";

/** A step in the life of a run. Times are milliseconds since the epoch, by this machine's clock. */
export interface LifecycleStep {
  readonly name: string;
  readonly state: "waiting" | "active" | "done" | "failed";
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** What there is to say of it, such as the last line of its log. */
  readonly detail?: string;
}

/** What the steps are read from. */
export interface LifecycleFacts {
  readonly view?: JobView;
  readonly report?: StackReport;
  readonly machine?: MachineLook;
  /** When verified results came home. */
  readonly resultsAt?: number;
  /** Milliseconds by which the instance's clock is behind. */
  readonly skewMs: number;
}

/** Differences of clocks below this are not told from the time that an answer takes. */
const smallestSkewMs = 3000;

/**
 * The steps from the launch to the results, with their times: those of the stack's resources by its state, those on the
 * instance by its records.
 */
export function lifecycleOf(facts: LifecycleFacts): LifecycleStep[] {
  const { view, machine } = facts;
  if (view?.instance === undefined) return stepNames.map((name) => ({ name, state: "waiting" }));
  const { progress, instance } = view;
  const launched = instance.launchedAt === undefined ? undefined : Date.parse(instance.launchedAt);
  const booted = progress.done["instance-boot"]?.first;
  const shift = Math.abs(facts.skewMs) < smallestSkewMs ? 0 : facts.skewMs;
  const onInstance = (name: string): StepLook | undefined => machine?.steps[name];
  const code = ofResource(progress, "code", "workspace-code", booted);
  const dataset = ofStep(progress, "dataset", "dataset-extract", onInstance("dataset"), shift);
  const setup = ofStep(progress, "setup", "environment-setup", onInstance("setup"), shift);
  const ready = Math.max(...[code, dataset, setup].map(({ endedAt }) => endedAt ?? 0));
  return [
    {
      ...once(
        ofResource(progress, "launch", "instance-vm", progress.done["instance-launches"]?.first),
        progress.done["instance-vm"],
      ),
      detail: `${instance.type} in ${instance.region}`,
    },
    ofResource(progress, "boot", "instance-boot", launched),
    code,
    dataset,
    setup,
    ofResource(progress, "gate", "gate-verify", ready === 0 ? undefined : ready),
    ...ofRun(facts, shift),
  ];
}

const stepNames = ["launch", "boot", "code", "dataset", "setup", "gate", "training", "evaluation", "results"];

/** A step that is over when its resource is in the state. How long it took is known of its first time alone. */
function ofResource(progress: StackProgress, name: string, resource: string, startedAt?: number): LifecycleStep {
  const done = progress.done[resource];
  if (done === undefined) {
    const active = progress.underWay.includes(resource);
    return { name, state: active ? "active" : "waiting", ...(active && startedAt !== undefined ? { startedAt } : {}) };
  }
  const first = done.last - done.first < 1000 && startedAt !== undefined && startedAt <= done.first;
  return { name, state: "done", endedAt: done.last, ...(first ? { startedAt } : {}) };
}

/** A step that happens once for each instance, even if later updates touch it. */
function once(step: LifecycleStep, done: StackProgress["done"][string] | undefined): LifecycleStep {
  return step.state === "done" && done !== undefined ? { ...step, endedAt: done.first } : step;
}

/** A step that the instance keeps a record of, which is exact. */
function ofStep(
  progress: StackProgress,
  name: string,
  resource: string,
  look: StepLook | undefined,
  shift: number,
): LifecycleStep {
  const done = progress.done[resource] !== undefined;
  if (look === undefined || look.startedAt === null) return ofResource(progress, name, resource);
  const detail = look.lastLine === null ? {} : { detail: look.lastLine };
  const startedAt = look.startedAt * 1000 + shift;
  if (look.endedAt === null) return { name, state: "active", startedAt, ...detail };
  const failed = look.exitCode !== 0 && !done;
  return { name, state: failed ? "failed" : "done", startedAt, endedAt: look.endedAt * 1000 + shift, ...detail };
}

function ofRun({ report, machine, resultsAt, view }: LifecycleFacts, shift: number): LifecycleStep[] {
  const run = report?.run;
  const results: LifecycleStep =
    resultsAt === undefined
      ? { name: "results", state: "waiting" }
      : { name: "results", state: "done", endedAt: resultsAt };
  if (run === undefined || !("logPath" in run) || run.startedAt === undefined) {
    return [{ name: "training", state: "waiting" }, { name: "evaluation", state: "waiting" }, results];
  }
  const startedAt = Date.parse(run.startedAt) + shift;
  const endedAt = run.endedAt === undefined ? undefined : Date.parse(run.endedAt) + shift;
  const training: LifecycleStep = {
    name: "training",
    state: run.state === "failed" ? "failed" : endedAt === undefined && !hasEnded(run.state) ? "active" : "done",
    startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(run.lastLine === undefined ? {} : { detail: run.lastLine }),
  };
  return [training, ofEvaluation(run.evaluation?.state, endedAt, machine, shift, view), results];
}

function ofEvaluation(
  state: "none" | "pending" | "running" | "done" | "failed" | undefined,
  trainedAt: number | undefined,
  machine: MachineLook | undefined,
  shift: number,
  view: JobView | undefined,
): LifecycleStep {
  const name = "evaluation";
  const startedAt = trainedAt === undefined ? {} : { startedAt: trainedAt };
  if (view?.evaluation === undefined) return { name, state: "waiting", detail: "none configured" };
  if (state === "running") return { name, state: "active", ...startedAt };
  if (state !== "done" && state !== "failed") return { name, state: "waiting" };
  const at = machine?.evaluatedAt;
  return { name, state, ...startedAt, ...(at === null || at === undefined ? {} : { endedAt: at * 1000 + shift }) };
}
