import type { FleetPlace } from "../../lambda/account/fleet-place";
import type { Claims } from "../../lambda/account/strays";
import type { PlannedRun } from "../../plan/types";
import type { CodeHere } from "../../remote/copies";
import type { ResultsPlace } from "../../remote/results";
import { trialPlace, workerPlace } from "../../remote/trials";
import type { SshAccess } from "../../remote/types";
import { CommandError, exitCodes } from "../terminal/command";
import { shortList } from "../terminal/short-list";

/** A stack as its state tells it: what an operator command needs, also after an `up` that failed half-way. */
export interface StackView {
  readonly stack: string;
  readonly endpoint?: string;
  /** Sorted by name, as the runs are. There is at least one, although nothing of it may be there yet. */
  readonly machines: readonly MachineView[];
  readonly runs: readonly RunView[];
  /** Where the machines of a fleet let each other in. Absent: there is one machine, or they don't yet. */
  readonly places?: readonly FleetPlace[];
}

/** A machine of a stack, with or without its instance. */
export interface MachineView {
  /** Its name. */
  readonly machine: string;
  readonly instance?: {
    readonly id: string;
    readonly type: string;
    readonly region: string;
    /** Cents per hour. */
    readonly priceCents: number;
    /** ISO 8601 in UTC. */
    readonly launchedAt?: string;
    /** Most dollars that the stack may cost, as of the last `up`. */
    readonly budgetDollars?: number;
  };
  /** What it has attached, and keeps. */
  readonly fileSystem?: { readonly name: string; readonly region: string };
  /** Names that it may have launched under, and its instances. */
  readonly claims?: Claims;
  readonly access?: SshAccess;
  /** The code that its workspace was uploaded from. Absent: it has none yet. */
  readonly code?: CodeHere;
  /** What of the last `up` waits for the end of its runs, in words. Absent: nothing. */
  readonly waits?: readonly string[];
  /** How far its resources are. */
  readonly progress: StackProgress;
}

/** Which resources of a machine are done and which are being worked on, by their names in a stack that has one. */
export interface StackProgress {
  /** Milliseconds since the epoch at which a resource was made, and at which that was done again last. */
  readonly done: Readonly<Record<string, { readonly first: number; readonly last: number }>>;
  readonly underWay: readonly string[];
}

/** A run of a stack that was started, or is about to be. */
export interface RunView extends PlannedRun {
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Local folder of the stack's results, absolute. */
  readonly resultsFolder: string;
  /** Its newest start, as of the last `up` or refresh. */
  readonly attempt?: number;
  /** It is a trial of a sweep, which its machine alone knows. */
  readonly isTrial?: true;
  /** It is a job beside a run, which its machine alone knows. */
  readonly isJob?: true;
}

/** A machine together with one of its runs, or alone if it has none. */
export type JobView = Pick<StackView, "stack" | "endpoint"> &
  MachineView &
  Partial<RunView> & {
    /** Names its machine and run. Absent: the stack has no others. */
    readonly label?: string;
  };

/** Each machine of a stack with each of its runs. */
export function jobsOf({ stack, endpoint, machines, runs }: StackView): JobView[] {
  const several = machines.length > 1 || runs.length > 1;
  return machines.flatMap((machine) => {
    const own: Partial<RunView>[] = runs.filter((run) => run.machine === machine.machine);
    return (own.length === 0 ? [{}] : own).map((run) => {
      const job = { stack, endpoint, ...machine, ...run };
      return several ? { ...job, label: labelOf(job) } : job;
    });
  });
}

function labelOf({ machine, name }: Pick<JobView, "machine" | "name">): string {
  return `machine ${machine}${name === undefined ? "" : `, run ${name}`}`;
}

/** The jobs with each machine once. */
export function distinctMachines<T extends Pick<MachineView, "machine">>(jobs: readonly T[]): T[] {
  return [...new Map(jobs.toReversed().map((job) => [job.machine, job])).values()].reverse();
}

/** The machine or run that a command is for, where the stack has several. */
export interface Choice {
  readonly machine?: string;
  /** Its name, or the experiment's. */
  readonly run?: string;
  /** Of a training on several machines. */
  readonly rank?: number;
}

/**
 * The machine with its run that is chosen, or the only one there is. Of one training on several machines, rank 0's run.
 * @param by What may be there once only: a machine with several runs is one machine.
 * @throws CommandError that names what there is, if the choice fits several or none.
 */
export function chosenJob(view: StackView, choice: Choice, by: "machine" | "run"): JobView {
  const { machine, run, rank } = choice;
  const all = jobsOf(view);
  const fitting = all.filter((job) => fits(job, choice));
  const found = by === "machine" ? distinctMachines(fitting) : ofOneTraining(fitting);
  const [one, second] = found;
  if (second !== undefined) {
    const named = found.map((job) => (by === "machine" ? job.machine : labelOf(job)));
    const list = shortList(named, by === "machine" ? ", " : "; ");
    const alone = distinctMachines(found).length === found.length;
    const options = by === "run" && alone ? "--machine NAME or --run NAME" : `--${by} NAME`;
    throw new CommandError(
      `Stack ${view.stack} has several ${by}s: ${list}. Choose one with ${options}.`,
      exitCodes.usage,
    );
  }
  if (one === undefined) {
    const named = [machine && `machine ${machine}`, run && `run ${run}`, rank !== undefined && `rank ${rank}`];
    const wanted = named.filter(Boolean).join(" with ");
    throw new CommandError(
      `Stack ${view.stack} has no ${wanted}. It has: ${shortList(all.map(labelOf), "; ")}.`,
      exitCodes.usage,
    );
  }
  return one;
}

function fits(job: JobView, { machine, run, rank }: Choice): boolean {
  const isRun = run === undefined || run === job.name || run === job.run?.experiment;
  const isRank = rank === undefined || rank === job.run?.node?.rank;
  return isRun && isRank && (machine === undefined || job.machine === machine);
}

/** A job's place among the machines that train together; 0 where it trains alone. */
export function rankOf({ run }: Pick<JobView, "run">): number {
  return run?.node?.rank ?? 0;
}

/** The jobs that train one run together, by rank: all machines of a training on several, or that job alone. */
export function trainingOf(all: readonly JobView[], job: JobView): readonly JobView[] {
  const { run } = job;
  if (run?.node === undefined) return [job];
  const ranks = all.filter((each) => each.run?.node !== undefined && each.run.experiment === run.experiment);
  return ranks.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** Rank 0's run where all are those of one training; otherwise all of them. */
function ofOneTraining(jobs: readonly JobView[]): readonly JobView[] {
  const leads = jobs.filter(({ run }) => run?.node?.rank === 0);
  const isOne = jobs.every(({ run }) => run?.node !== undefined && run.experiment === leads[0]?.run?.experiment);
  return isOne && leads.length === 1 ? leads : jobs;
}

/** A machine whose instance can be spoken to. */
export type Reachable = JobView & Required<Pick<JobView, "access" | "instance">>;

/**
 * The one instance that a command is for.
 * @throws CommandError where there is none to speak to, or several.
 */
export function requireInstance(view: StackView, choice: Choice, by: "machine" | "run" = "machine"): Reachable {
  const job = chosenJob(view, choice, by);
  if (job.instance === undefined || job.access === undefined) {
    throw new CommandError(
      `Stack ${view.stack} has no instance in its state. \`npm run up\` launches one, or adopts what was launched.`,
      exitCodes.nothing,
    );
  }
  return { ...job, access: job.access, instance: job.instance };
}

/** A run and its machine, with an instance that can be spoken to. */
export type WithRun = Reachable & RunView;

/**
 * The one run that a command is for.
 * @throws CommandError where there is none, or several.
 */
export function requireRun(view: StackView, choice: Choice): WithRun {
  const job = requireInstance(view, choice, "run");
  if (!isWithRun(job)) {
    throw new CommandError(
      `Stack ${view.stack} has an instance, but no run yet. \`npm run up\` continues where it stopped.`,
      exitCodes.nothing,
    );
  }
  return job;
}

/**
 * The runs that a command is for: the one that is chosen, or all of the stack.
 * @param ranks Whether a training on several machines counts as many runs, and not as that of rank 0.
 * @throws CommandError where there is none.
 */
export function requireRuns(view: StackView, choice: Choice, ranks = false): WithRun[] {
  const fitting = jobsOf(view).filter((job) => fits(job, choice));
  const all = ranks ? fitting : ofOneTraining(fitting);
  const found = all.filter(isWithRun);
  // Of one or none the other tells what it is, or what is missing.
  return found.length > 1 ? found : [requireRun(view, choice)];
}

/** Whether a job has a run, and an instance that can be spoken to. */
export function isWithRun(job: JobView): job is WithRun {
  return job.access !== undefined && job.instance !== undefined && job.run !== undefined;
}

/** Where the run's results are and go. */
export function resultsPlace(view: WithRun): ResultsPlace {
  const { access, instance, run, evaluation, workspace, resultsFolder, worker, isTrial, isJob } = view;
  const place = { instanceId: instance.id, access, run, evaluation, workspace, directory: resultsFolder };
  if (worker !== undefined) return workerPlace(place, worker);
  if (isJob === true) return { ...place, isJob };
  return isTrial === true ? trialPlace(place, run.experiment) : place;
}
