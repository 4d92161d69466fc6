import { relative } from "node:path";
import { dollarsOf, money } from "../../lambda/billing/bill";
import { costSince } from "../../lambda/billing/forecast";
import { lastBill } from "../../lambda/billing/ledger";
import { projectFolder } from "../../local/paths";
import type { NoticeEvent } from "../../plan/notify";
import { resultsAtHome } from "../stack/report";
import type { StackView } from "../stack/stack-view";

/** What a target receives: the body of a webhook. Members are added, never changed, within a version. */
export interface Notice {
  readonly version: 1;
  /** `test` is sent by `npm run notify -- --test` alone. */
  readonly event: NoticeEvent | "test";
  readonly stack: string;
  readonly experiment: string | null;
  readonly instanceType: string | null;
  readonly region: string | null;
  /** Cost of the instance since its launch, dollars before tax. */
  readonly costDollars: number | null;
  /** Local folder of verified results, relative to the project; null if none are downloaded yet. */
  readonly results: string | null;
  /** ISO 8601 in UTC. */
  readonly time: string;
  /** All of it in one sentence. */
  readonly text: string;
}

/** What a notice needs to know of a stack. */
type Facts = Pick<StackView, "stack" | "instance" | "run" | "resultsFolder">;

/** @param what What has happened, in words: `training has started`. */
export function noticeOf(view: Facts, event: Notice["event"], what: string, now = Date.now()): Notice {
  const { stack, instance, run, resultsFolder } = view;
  const experiment = run?.experiment ?? null;
  // Where it has ended its bill tells to the minute; until then it is what has been used so far.
  const bill = event === "terminated" ? lastBill(stack) : undefined;
  const used = instance?.launchedAt === undefined ? null : costSince(instance.launchedAt, instance.priceCents, now);
  const cost = bill !== undefined && bill.instanceId === instance?.id ? dollarsOf(bill) : used;
  const place = instance === undefined ? "" : ` on ${instance.type} in ${instance.region}`;
  const ended = event === "terminated";
  const spent = cost === null ? "" : `, ${ended ? "about " : ""}${money(cost)} ${ended ? "in all" : "so far"}`;
  const folder = resultsAtHome(view);
  const results = folder === null ? null : relative(projectFolder(), folder);
  const where = results === null ? "; none of its results are downloaded" : `; its results are in ${results}`;
  const home = ended && resultsFolder !== undefined && run !== undefined ? where : "";
  return {
    version: 1,
    event,
    stack,
    experiment,
    instanceType: instance?.type ?? null,
    region: instance?.region ?? null,
    costDollars: cost,
    results,
    time: new Date(now).toISOString(),
    text: `${experiment ?? "no run"} (stack ${stack}): ${what}${place}${spent}${home}.`,
  };
}
