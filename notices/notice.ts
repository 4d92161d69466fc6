import { type Bill, dollarsOf, money } from "../lambda/billing/bill";
import type { NoticeEvent } from "../plan/notify";

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

/** What is told of the end of an instance, as its bill has it. */
export function noticeOfEnd(bill: Bill, now = Date.now()): Notice {
  const { stack, instanceType, region, runs } = bill;
  const experiment = inWords(runs.map((run) => run.experiment));
  const results = inWords(runs.map((run) => run.results));
  const dollars = dollarsOf(bill);
  const missing = inWords(runs.flatMap((run) => (run.results === undefined ? [run.experiment] : [])));
  const where =
    results === null
      ? "none of its results are downloaded"
      : `its results are in ${results}${missing === null ? "" : `, but none of ${missing} are downloaded`}`;
  return {
    version: 1,
    event: "terminated",
    stack,
    experiment,
    instanceType,
    region,
    costDollars: dollars,
    results,
    time: new Date(now).toISOString(),
    text:
      `${experiment ?? "no run"} (stack ${stack}): the instance is terminated on ${instanceType} in ${region}, ` +
      `about ${money(dollars)} in all${experiment === null ? "" : `; ${where}`}.`,
  };
}

/** The different ones, in words. null: there is none. */
export function inWords(words: readonly (string | undefined)[]): string | null {
  const known = new Set(words.filter((word) => word !== undefined));
  return known.size === 0 ? null : [...known].join(", ");
}
