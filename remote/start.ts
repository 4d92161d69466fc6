import { bucketFor } from "../plan/bucket";
import type { CheckpointsPlan, Job, RunPlan, Variables } from "../plan/types";
import { type AgentCall, renderCall, wordsOf } from "./agent";
import { provenanceOf, type StartedOn } from "./provenance";
import { addsToItself } from "./quote";
import { evaluationOf, standsHash } from "./scripts";

/** When a run is started, and where. */
export interface StartContext {
  /** Time at which the instance has cost its budget, in milliseconds since the epoch; undefined for no limit. */
  readonly spentAt?: number;
  /** The instance, for the record of what ran. */
  readonly on?: StartedOn;
  /** Its id, where the results' record in a bucket names it. */
  readonly instance?: string;
  /** Ids of the instances that train together, by rank; empty for one that trains alone. */
  readonly members?: readonly string[];
}

/**
 * Starts the run, or finds it going or done; one that goes on takes over changed limits. Exit status 3: a run with
 * another hash goes on; 4: its limit or budget is used up.
 */
export function renderStart(plan: Job, context: StartContext = {}): string {
  return renderCall(startCall(plan, context));
}

/** The same as a call of the agent. */
export function startCall(plan: Job, context: StartContext = {}): AgentCall {
  const { run, worker } = plan;
  const started = startDocument(plan, context);
  const own = { experiment: run.experiment, ...started };
  const document = worker === undefined ? { ...own, ...madeConfigOf(run) } : { ...own, ...workerOf(plan, own) };
  return { verb: "start", document };
}

function madeConfigOf({ madeConfig }: RunPlan): { readonly config?: string } {
  return madeConfig === undefined ? {} : { config: madeConfig.overrides?.target ?? madeConfig.path };
}

/** How `start` is told of a run: of itself, or of a worker's trials. */
function startDocument(plan: Job, { spentAt, on, instance, members = [] }: StartContext) {
  const { run, evaluation } = plan;
  const { hash, command, directory, resume, checkpoints, outputs, bucket, firstStepPattern, graceSeconds } = run;
  const copies = checkpoints && syncOf(checkpoints);
  return {
    hash,
    stands: standsHash(plan),
    run: {
      workspace: plan.workload.name,
      directory,
      command,
      ...(run.processes !== undefined && { processes: String(run.processes) }),
      ...(run.cluster !== undefined && { cluster: run.cluster }),
      ...(run.node && { node: { ...run.node, members } }),
      resume,
      ...(copies !== undefined && { sync: copies }),
      ...(bucket !== undefined && { bucket: { ...bucket, instance } }),
      variables: variablesOfRun(plan),
      ...(run.secrets && { secrets: run.secrets.map(({ name }) => name) }),
      outputs,
      firstStepPattern,
      grace: Math.ceil(graceSeconds),
      evaluation: evaluation && evaluationOf(evaluation),
    },
    limits: {
      maxSeconds: wholeSeconds(run.maxSeconds),
      // Of several machines that train together, most log nothing.
      idleSeconds: run.node !== undefined && run.node.rank > 0 ? undefined : wholeSeconds(run.idleSeconds),
      // Stopping takes its time too.
      deadline: wholeSeconds(spentAt === undefined ? undefined : spentAt / 1000 - graceSeconds),
    },
    results: { include: run.include ?? [], exclude: run.exclude ?? [] },
    provenance: provenanceOf(plan, on),
  };
}

/** Seconds beyond its trials' own time that a worker has to stop them all. */
const workerGrace = 40;

/** What differs where the run is the worker of a sweep: commands, variables and limits are its trials'. */
function workerOf({ run: { experiment }, worker }: Job, { run, limits }: ReturnType<typeof startDocument>) {
  const logs = worker?.logs ?? "";
  const bucket = run.bucket && logs !== "" && bucketFor(run.bucket, `${logs}/${experiment}`);
  const { processes: _processes, node: _node, sync: _sync, ...own } = run;
  return {
    run: {
      ...own,
      ...(bucket && { bucket }),
      command: `exec ${wordsOf({ verb: "work", document: { experiment } })}`,
      resume: undefined,
      variables: {},
      // One that waits, since other machines have all trials, is well on its way too, and so is one that comes too late for any.
      firstStepPattern: "^(trial [0-9]+: first step|no trial (waits|is left))",
      grace: own.grace + workerGrace,
      evaluation: undefined,
      sweep: experiment,
    },
    limits: { deadline: limits.deadline },
  };
}

/**
 * Tells the worker of a machine what its trials are, whether it runs or is about to be started.
 * @param instance Id of the instance.
 */
export function workCall(plan: Job, instance: string, context: StartContext = {}): AgentCall {
  const { machine, run, worker, evaluation } = plan;
  if (worker === undefined) throw new Error("The plan has no sweep: set sweep in the experiment file.");
  const { study, hash, definition, template, gpusPerRun, runsPerMachine } = worker;
  const told = {
    machine,
    study,
    instance,
    sweep: hash,
    metric: definition.metric,
    metrics: evaluation?.metrics,
    gpusPerRun,
    runsPerMachine,
    config: template,
    trial: startDocument(plan, context),
  };
  return { verb: "work-place", document: { experiment: run.experiment, worker: told } };
}

/** What the agent is told of copies of checkpoints. */
function syncOf({ keep, everySeconds, checkpoint, folder, bucket }: CheckpointsPlan): object | undefined {
  const to = bucket?.url ?? folder;
  return to === undefined
    ? undefined
    : { to, keep, seconds: Math.ceil(everySeconds), checkpoint, ...(bucket && { bucket }) };
}

/** Variables that a run sets. The environment is loaded before: what adds to a value there is not added again. */
function variablesOfRun({ run, environment }: Job): Variables {
  const entries = Object.entries(run.variables);
  return Object.fromEntries(
    entries.filter(([name, value]) => !(addsToItself(name, value) && environment.variables[name] === value)),
  );
}

function wholeSeconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds);
}
