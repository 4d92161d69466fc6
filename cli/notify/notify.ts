import { askedDate } from "../../lambda/api/date";
import { maintenanceText } from "../../lambda/life/maintenance";
import { Memory } from "../../notices/memory";
import { tellOnce } from "../../notices/tell";
import type { NoticeEvent } from "../../plan/notify";
import type { RunStatus } from "../../remote/types";
import { warnFrom } from "../stack/limits";
import { maintenanceIn, runStatus } from "../stack/look";
import { rawStackConfig } from "../stack/pulumi";
import { stackView } from "../stack/read";
import type { SeenJob } from "../stack/seen";
import { connectStack } from "../stack/stack-cloud";
import { distinctMachines, type JobView, jobsOf, rankOf, type StackView, trainingOf } from "../stack/stack-view";
import { targetsOf } from "./configured";
import { noticeOf } from "./notice";

/** Something to tell of. */
interface News {
  /** Whom it concerns: a run with its machine, or several. */
  readonly jobs: readonly JobView[];
  readonly event: NoticeEvent;
  /** In words: `training has started`. */
  readonly what: string;
  /** What makes it the same or another: the start of the run, or the limit. */
  readonly of?: string | number;
}

/** What there is to tell of a run, the oldest first. @param jobs Those that train it, see {@link trainingOf}. */
function newsOf(
  jobs: readonly JobView[],
  { state, attempt, firstStepAt, exitCode, stopReason, lastLine, detached, doubt }: RunStatus,
): News[] {
  const news = (event: NoticeEvent, what: string): News => ({ jobs, event, what, of: attempt });
  const started = firstStepAt === undefined ? [] : [news("started", "training has started")];
  if (state === "finished" && doubt !== undefined)
    return [...started, news("failed", `training ended with status 0, but ${doubt}`)];
  if (state === "finished") return [...started, news("finished", "training has finished")];
  if (state === "stopped" && stopReason !== undefined)
    return [...started, news("finished", `training was stopped (${stopReason})`)];
  if (state !== "failed") return started;
  if (detached !== undefined)
    return [...started, news("failed", `training detached itself and was ended: ${detached}`)];
  const why = exitCode === undefined ? "" : ` with status ${exitCode}`;
  return [...started, news("failed", `training failed${why}: ${lastLine ?? "no log"}`)];
}

/** A run, and how it is: nothing is told where that isn't known. */
export interface KnownRun {
  readonly job: JobView;
  readonly status?: RunStatus;
}

/** Tells of runs of a stack what has not been told yet. */
export function tellOfRuns(view: StackView, known: readonly KnownRun[]): Promise<void> {
  return tell(newsOfRuns(jobsOf(view), known));
}

/**
 * What there is to tell of runs. A training on several machines is told of once, as rank 0 has it; where that gives no answer,
 * the next one tells how it ended.
 * @param all The jobs of the stack.
 */
export function newsOfRuns(all: readonly JobView[], known: readonly KnownRun[]): News[] {
  const told = new Set<string>();
  return known.toSorted(byRank).flatMap(({ job, status }) => {
    const training = trainingOf(all, job);
    const name = job.run?.experiment ?? "";
    if (status === undefined || told.has(name)) return [];
    if (training.length > 1) told.add(name);
    const news = newsOf(training, status);
    return rankOf(job) === 0 ? news : news.filter(({ event }) => event !== "started");
  });
}

function byRank(a: KnownRun, b: KnownRun): number {
  return rankOf(a.job) - rankOf(b.job);
}

/** Tells of a look at limits: of 80 % of the budget, and of any limit that is reached, each once. */
export function tellOfLimits(seen: readonly SeenJob[]): Promise<void> {
  return tell(newsOfLimits(seen));
}

/** What there is to tell of limits. The budget is the stack's: it concerns all runs together. */
export function newsOfLimits(seen: readonly SeenJob[]): News[] {
  const budget = seen
    .flatMap(({ limits }) => limits)
    .find((limit) => limit.reason === "budget" && limit.used >= warnFrom);
  const spent = { jobs: seen.map(({ job }) => job), event: "budget" as const };
  const over = seen.filter(({ outcome }) => outcome === "limit");
  const overBudget = over.filter(({ reason }) => reason === "budget");
  const groups = [overBudget, ...over.filter(({ reason }) => reason !== "budget").map((each) => [each])];
  const reached = groups.flatMap(([first, ...rest]): News[] => {
    if (first === undefined) return [];
    const { reason, limits } = first;
    const text = limits.find((limit) => limit.reason === reason)?.text;
    const what = `its limit is reached (${reason}${text === undefined ? "" : `, ${text}`})`;
    return [{ jobs: [first, ...rest].map(({ job }) => job), event: "limit", what, of: reason }];
  });
  return budget === undefined
    ? reached
    : [{ ...spent, what: `80 % of the budget is spent, ${budget.text}` }, ...reached];
}

/** Tells of Lambda's maintenance that is ahead, each announcement once, and again if its time changes. */
export function tellOfMaintenance(seen: readonly Pick<SeenJob, "job" | "maintenance">[], now: number): Promise<void> {
  return tell(newsOfMaintenance(seen, now));
}

function newsOfMaintenance(seen: readonly Pick<SeenJob, "job" | "maintenance">[], now: number): News[] {
  return seen.flatMap(({ job, maintenance }) =>
    maintenance.map((event): News => {
      const of = [event.id, event.notBefore].filter((part) => part !== undefined).join(" ");
      return { jobs: [job], event: "maintenance", what: `Lambda's ${maintenanceText(event, now)}`, of };
    }),
  );
}

/** Looks at a stack after an `up`, and sends notifications about its runs. Never fails. */
export async function tellAfterUp(stack: string): Promise<void> {
  if (!wantsNotices(stack)) return;
  await quietly(async () => {
    const view = await stackView(stack);
    const jobs = jobsOf(view);
    const known = jobs.map(async (job) => {
      const status = await runStatus(job);
      return status !== undefined && "state" in status ? { job, status } : { job };
    });
    const cloud = await connectStack(view);
    const announced = await maintenanceIn(cloud, view);
    const seen = jobs.map((job) => ({ job, maintenance: announced[job.machine] ?? [] }));
    await tell([...newsOfRuns(jobs, await Promise.all(known)), ...newsOfMaintenance(seen, cloud.clock.date())]);
  });
}

/** Whether the stack names anybody to tell: where not, nothing is looked at for it. */
export function wantsNotices(stack: string): boolean {
  return rawStackConfig(stack).notify !== undefined;
}

/** Tells each target once of each. A notice that cannot be sent is a warning, and tried again at the next occasion. */
async function tell(all: readonly News[]): Promise<void> {
  const news = all.filter(({ jobs }) => jobs.some(({ instance }) => instance !== undefined));
  const stack = news[0]?.jobs[0]?.stack;
  if (stack === undefined || !wantsNotices(stack)) return;
  await quietly(async () => {
    const targets = await targetsOf(stack);
    const memory = new Memory(stack);
    const endpoint = news[0]?.jobs[0]?.endpoint;
    const now = await connectStack({ stack, endpoint }).then(askedDate, () => Date.now());
    for (const { jobs, event, what, of } of news) {
      const ids = distinctMachines(jobs).map(({ instance }) => instance?.id);
      const experiments = jobs.map(({ run }) => run?.experiment);
      const key = [...ids, ...experiments, event, of].filter((part) => part !== undefined).join(" ");
      await tellOnce({ notice: noticeOf({ stack, jobs }, event, what, now), what, key }, targets, memory, warn);
    }
  });
}

async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    warn(`couldn't notify anybody: ${(error as Error).message}`);
  }
}

function warn(line: string): void {
  console.error(`warning: notifications: ${line}`);
}
