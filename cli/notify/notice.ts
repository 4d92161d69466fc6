import { relative } from "node:path";
import { money } from "../../lambda/billing/bill";
import { costSince } from "../../lambda/billing/forecast";
import { projectFolder } from "../../local/paths";
import { inWords, type Notice } from "../../notices/notice";
import { resultsAtHome } from "../stack/results-home";
import { distinctMachines, type JobView } from "../stack/stack-view";

/** What a notice is about: runs of a stack, with their machines. */
interface Subject {
  readonly stack: string;
  readonly jobs: readonly Omit<JobView, "stack" | "progress">[];
}

/**
 * @param what What has happened, in words: `training has started`.
 * @param now By the API's date, in milliseconds since the epoch.
 */
export function noticeOf({ stack, jobs }: Subject, event: Notice["event"], what: string, now: number): Notice {
  const [only, ...more] = jobs;
  const single = more.length === 0 ? only : undefined;
  const isTraining = jobs.every(({ run }) => run?.node !== undefined && run.experiment === only?.run?.experiment);
  const instances = distinctMachines(jobs).flatMap(({ instance }) => instance ?? []);
  const experiment = inWords(jobs.map(({ run }) => run?.experiment));
  const costs = instances.flatMap(({ launchedAt, priceCents }) =>
    launchedAt === undefined ? [] : costSince(launchedAt, priceCents, now),
  );
  const cost = costs.length === 0 ? null : costs.reduce((sum, each) => sum + each, 0);
  const places = counted(instances.map(({ type, region }) => `${type} in ${region}`));
  const place = places.length === 0 ? "" : ` on ${places.join(" and ")}`;
  const spent = cost === null ? "" : `, ${money(cost)} so far`;
  // Those of a training are rank 0's.
  const home = only === undefined || !(isTraining || single) ? null : resultsAtHome(only);
  const of = single?.label === undefined ? {} : { machine: single.machine, run: single.name };
  return {
    version: 1,
    event,
    stack,
    ...of,
    experiment,
    instanceType: inWords(instances.map(({ type }) => type)),
    region: inWords(instances.map(({ region }) => region)),
    costDollars: cost,
    results: home === null ? null : relative(projectFolder(), home.folder),
    time: new Date(now).toISOString(),
    text: `${experiment ?? "no run"} (stack ${stack}${single?.label ? `, ${single.label}` : ""}): ${what}${place}${spent}.`,
  };
}

/** Each once, with how many there are. */
function counted(places: readonly string[]): string[] {
  return [...new Set(places)].map((place) => {
    const count = places.filter((each) => each === place).length;
    return count === 1 ? place : `${count} × ${place}`;
  });
}
