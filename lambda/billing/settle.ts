import type { Listener } from "../../local/listener";
import { launchedAtOf } from "../account/tags";
import type { Cloud } from "../api/connect";
import type { Instance } from "../api/schemas";
import { duration } from "../api/waiting";
import { type Ended, terminateAndConfirm } from "../life/termination";
import { type Bill, type BilledRun, billedMinutes, dollarsOf, exactDollars, money } from "./bill";
import { endingOf } from "./ending";
import { addToLedger } from "./ledger";
import { type Asked, type BillNote, BillNotes } from "./notes";

/** What is known of an instance from its state or, where no state knows it, from the API. */
export interface Rented {
  readonly id: string;
  /** The stack whose ledger gets the bill; undefined: it is only printed. */
  readonly stack?: string;
  /** Names of the experiments that it was launched for, with a space between two. */
  readonly experiment?: string;
  readonly instanceType: string;
  readonly region: string;
  readonly launchedAt?: string;
  readonly priceCentsPerHour: number;
}

type Progress = (line: string) => void;

/** An instance as the API shows it, with what its tags tell. */
export function rented({ id, tags, instanceType, region = "" }: Instance): Rented {
  const { name = "", priceCentsPerHour = 0 } = instanceType ?? {};
  const { stack, experiment } = tags;
  return { id, stack, experiment, instanceType: name, region, launchedAt: launchedAtOf(tags), priceCentsPerHour };
}

/** Terminates an instance, confirms it by the API, and makes its bill. False where it was gone before. */
export async function endAndBill(cloud: Cloud, facts: Rented, listener: Listener): Promise<boolean> {
  const ended = await endNoted(cloud, facts, listener);
  await settleBill(cloud, facts, ended, (line) => listener.progress?.(line));
  return ended.existed;
}

/** Terminates an instance and confirms it by the API. When it was told to is noted for the bill. */
export async function endNoted(
  cloud: Cloud,
  { id, launchedAt }: Pick<Rented, "id" | "launchedAt">,
  { status }: Listener,
): Promise<Ended> {
  const notes = new BillNotes(id);
  const before = notes.read().asked;
  // A call whose answer this machine never saw may have been the one.
  const merged = (asked: Asked): Asked =>
    before === undefined || before.answeredAt !== undefined ? asked : { ...asked, sentAt: before.sentAt };
  const onAsked = (asked: Asked): void => notes.asked(merged(asked));
  const ended = await terminateAndConfirm(cloud, id, { status, launchedAt, onAsked });
  return { ...ended, asked: ended.asked === undefined ? before : merged(ended.asked) };
}

/**
 * Makes the bill of an instance that is gone, prints it, and puts it into the ledger of its stack, once. A ledger that
 * cannot be written keeps nothing from ending: its line is printed.
 */
export async function settleBill(cloud: Cloud, facts: Rented, ended: Ended, progress: Progress): Promise<Bill> {
  const notes = new BillNotes(facts.id);
  const made = await makeBill(cloud, facts, ended, notes.read());
  let bill = made;
  try {
    if (facts.stack !== undefined) bill = await addToLedger(made);
    notes.clear();
  } catch (error) {
    progress(`Couldn't write the bill to the ledger (${(error as Error).message}). Its line: ${JSON.stringify(made)}`);
  }
  progress(describeBill(bill));
  return bill;
}

async function makeBill(cloud: Cloud, facts: Rented, ended: Ended, note: BillNote): Promise<Bill> {
  const { id, stack = "", instanceType, region } = facts;
  const { instance } = ended;
  const asked = ended.asked ?? note.asked;
  const priceCentsPerHour = instance?.instanceType?.priceCentsPerHour ?? facts.priceCentsPerHour;
  const healthy = instance?.firstHealthyAt ?? note.billedSince;
  const neverHealthy = healthy === undefined && asked?.status === "booting";
  const launchedAt = facts.launchedAt ?? healthy ?? new Date(asked?.sentAt ?? cloud.clock.date()).toISOString();
  const from = healthy ?? launchedAt;
  const ending = await endingOf(cloud, {
    id,
    status: instance?.status,
    launchedAt,
    billedFrom: Date.parse(from),
    asked,
  });
  const minutes = neverHealthy ? 0 : billedMinutes(Date.parse(from), ending.at);
  const noStart =
    healthy === undefined ? "it isn't known when it was healthy, so the bill starts at its launch" : undefined;
  const doubts = neverHealthy ? [] : [noStart, ending.doubt].filter((each) => each !== undefined);
  const metered = { minutes, priceCentsPerHour };
  return {
    version: 1,
    stack,
    emulated: cloud.endpoint.ownKey,
    instanceId: id,
    instanceType,
    region,
    launchedAt,
    billedSince: neverHealthy ? null : from,
    terminatedAt: new Date(ending.at).toISOString(),
    ...metered,
    dollars: exactDollars(metered),
    estimate: doubts.length === 0 ? null : doubts.join("; "),
    endedBy: ending.by,
    runs: [...note.runs, ...unseenRuns(facts.experiment, note.runs)],
  };
}

/** Runs that an instance was launched for, and whose results nobody saw to. */
function unseenRuns(experiments: string | undefined, seen: readonly BilledRun[]): BilledRun[] {
  const names = experiments?.split(" ") ?? [];
  // The only one may have been seen under another name, which it had before.
  const unseen = names.length === 1 && seen.length > 0 ? [] : names;
  return unseen
    .filter((name) => !seen.some(({ experiment }) => experiment === name))
    .map((experiment) => ({ experiment, outcome: "not seen to its end", metrics: {} }));
}

/** A bill in one line. */
export function describeBill(bill: Bill): string {
  const { instanceId, instanceType, region, minutes, priceCentsPerHour, billedSince, estimate, runs } = bill;
  const price = `${money(priceCentsPerHour / 100)} per hour`;
  const sum = `${estimate === null ? "" : "at most "}${money(dollarsOf(bill))} before tax`;
  const what = `${instanceType} in ${region}, instance ${instanceId}`;
  const time = billedSince === null ? "ended before it was healthy" : `${duration(minutes * 60)} at ${price}`;
  const came = runs.map(({ experiment, outcome, reason }) => `${experiment} ${outcome}${reason ? ` (${reason})` : ""}`);
  const parts = [what, time, ...came, ...(estimate === null ? [] : [estimate])];
  return `bill: ${sum}: ${parts.join("; ")}`;
}
