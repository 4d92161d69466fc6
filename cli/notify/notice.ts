import { relative } from "node:path";
import { dollarsOf, money } from "../../lambda/billing/bill";
import { costSince } from "../../lambda/billing/forecast";
import { billOf } from "../../lambda/billing/ledger";
import { projectFolder } from "../../local/paths";
import type { NoticeEvent } from "../../plan/notify";
import { resultsAtHome } from "../stack/report";
import { distinctMachines, type JobView } from "../stack/stack-view";

/** What a target receives: the body of a webhook. Members are added, never changed, within a version. */
export interface Notice {
  readonly version: 1;
  /** `test` is sent by `npm run notify -- --test` alone. */
  readonly event: NoticeEvent | "test";
  readonly stack: string;
  /** Names of the machine and the run. Absent where the stack has one of each, and in what concerns several. */
  readonly machine?: string;
  readonly run?: string;
  readonly experiment: string | null;
  readonly instanceType: string | null;
  readonly region: string | null;
  /** Cost of the instance, or of all that it concerns, since the launch, dollars before tax. */
  readonly costDollars: number | null;
  /** Local folder of verified results, relative to the project; null if none are downloaded yet. */
  readonly results: string | null;
  /** ISO 8601 in UTC. */
  readonly time: string;
  /** All of it in one sentence. */
  readonly text: string;
}

/** What a notice is about: runs of a stack, with their machines. */
interface Subject {
  readonly stack: string;
  readonly jobs: readonly Omit<JobView, "stack" | "progress">[];
}

/** @param what What has happened, in words: `training has started`. */
export function noticeOf({ stack, jobs }: Subject, event: Notice["event"], what: string, now = Date.now()): Notice {
  const [only, ...more] = jobs;
  const single = more.length === 0 ? only : undefined;
  const machines = distinctMachines(jobs);
  const instances = machines.flatMap(({ instance }) => instance ?? []);
  const experiment = textOf(jobs.map(({ run }) => run?.experiment));
  const ended = event === "terminated";
  // Where it has ended its bill tells to the minute; until then it is what has been used so far.
  const costs = instances.flatMap(({ id, launchedAt, priceCents }) => {
    const bill = ended ? billOf(stack, id) : undefined;
    if (bill !== undefined) return dollarsOf(bill);
    return launchedAt === undefined ? [] : costSince(launchedAt, priceCents, now);
  });
  const cost = costs.length === 0 ? null : costs.reduce((sum, each) => sum + each, 0);
  const places = instances.map(({ type, region }) => `${type} in ${region}`);
  const place = places.length === 0 ? "" : ` on ${places.join(" and ")}`;
  const spent = cost === null ? "" : `, ${ended ? "about " : ""}${money(cost)} ${ended ? "in all" : "so far"}`;
  const folder = single === undefined ? null : resultsAtHome(single);
  const results = folder === null ? null : relative(projectFolder(), folder);
  const where = results === null ? "; none of its results are downloaded" : `; its results are in ${results}`;
  const home = ended && single?.run !== undefined ? where : "";
  const of = single?.label === undefined ? {} : { machine: single.machine, run: single.name };
  return {
    version: 1,
    event,
    stack,
    ...of,
    experiment,
    instanceType: textOf(instances.map(({ type }) => type)),
    region: textOf(instances.map(({ region }) => region)),
    costDollars: cost,
    results,
    time: new Date(now).toISOString(),
    text: `${experiment ?? "no run"} (stack ${stack}${single?.label ? `, ${single.label}` : ""}): ${what}${place}${spent}${home}.`,
  };
}

/** The different ones, in words. null: there is none. */
function textOf(words: readonly (string | undefined)[]): string | null {
  const known = new Set(words.filter((word) => word !== undefined));
  return known.size === 0 ? null : [...known].join(", ");
}
