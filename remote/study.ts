import { z } from "zod";
import { type AgentCall, callAgent, renderCall } from "./agent";
import type { SshSession } from "./session";

const value = z.number().nullish();
/** Seconds since the epoch, by the clock of the study's machine. */
const moment = z.number().optional();

/** A trial of a sweep, as its study knows it. */
const trialSchema = z.object({
  number: z.number().int().nonnegative(),
  params: z.record(z.string(), z.unknown()),
  state: z.enum([
    "queued", // waits to be run, or to be run again
    "running",
    "complete",
    "pruned", // ended early, since it was worse than the others
    "failed", // as often as sweep.retries allows
    "withdrawn", // its values are no longer asked for
  ]),
  /** Which start of it this is, from 1; 0: it has not begun. */
  attempt: z.number(),
  /** How often it has failed, and how many machines were lost under it. */
  failures: z.number(),
  lost: z.number(),
  /** The machine that runs it, or has run it last. */
  machine: z.string().optional(),
  /** What the metric came to. */
  value,
  /** The metric by step, not all of many. */
  values: z.array(z.tuple([z.number(), z.number().nullable()])).default([]),
  startedAt: moment,
  endedAt: moment,
  exitCode: z.number().optional(),
  /** Why it ended so, in words. */
  reason: z.string().nullish(),
});

export const studySchema = z.object({
  /** Another one each time that the study is made or moved. */
  epoch: z.string(),
  metric: z.string(),
  direction: z.enum(["minimize", "maximize"]),
  /** How many trials there are to be. */
  wanted: z.number(),
  trials: z.array(trialSchema),
  /** Number of the best one; null as long as none is complete. */
  best: z.number().nullable(),
  /** How much each value has to do with the metric: shares of 1. Empty while too few trials tell it. */
  importance: z.record(z.string(), z.number()),
});

const copySchema = z.object({
  epoch: z.string(),
  number: z.number(),
  bytes: z.number(),
  sha256: z.string(),
  study: z.boolean(),
});

export type Study = z.infer<typeof studySchema>;
export type Trial = z.infer<typeof trialSchema>;

/** What a machine knows of a study: of several that one knows most which has the highest number, then the most bytes. */
export type StudyCopy = z.infer<typeof copySchema>;

/** Name of the run that trains a trial, and of its folder of results. */
export function trialRun(experiment: string, number: number): string {
  return `${experiment}-t${number}`;
}

/** What home knows of a sweep's trials. */
export interface KnownAtHome {
  /** Numbers of the trials whose results are at home, taken after they had ended well. */
  readonly home: readonly number[];
  /** Ids of instances that are gone, and with them what is not at home. */
  readonly lost: readonly string[];
  /** What of these the study may not know, since it was lost with the newest of its copies. */
  readonly trained?: readonly {
    readonly number: number;
    readonly params: Readonly<Record<string, unknown>>;
    readonly value?: number;
  }[];
}

/** What is asked of a study; see scripts/agent/sweep/server.py. */
type Request = { readonly op: "summary" } | ({ readonly op: "place"; readonly definition: object } & KnownAtHome);

const answerSchema = z.object({ ok: z.unknown().optional(), error: z.string().optional() });

/** A question to a study; for its machine. */
export function studyCall(experiment: string, request: Request): AgentCall {
  return { verb: "study-call", document: { experiment, request } };
}

/** Makes the environment of the study on its machine, which takes a while, beside other work there. */
export function renderStudyPrepare(): string {
  return renderCall({ verb: "study-prepare", document: {} });
}

/** Asks the study of an experiment on its machine. @throws Error with what it says against that */
async function askStudy(session: SshSession, experiment: string, request: Request): Promise<unknown> {
  const what = `Asking the study of ${experiment}`;
  // The first question makes its environment.
  const text = await callAgent(session, studyCall(experiment, request), what, { timeoutSeconds: 600 });
  const { ok, error } = answerSchema.parse(JSON.parse(text));
  if (error !== undefined) throw new Error(`${what} failed: ${error}.`);
  return ok;
}

/** All trials of a sweep, and what they have come to. */
export async function readStudy(session: SshSession, experiment: string): Promise<Study> {
  return studySchema.parse(await askStudy(session, experiment, { op: "summary" }));
}

/** Makes the study of a sweep, or brings it to what is wanted now. */
export async function placeStudy(
  session: SshSession,
  experiment: string,
  wanted: { readonly definition: object } & KnownAtHome,
): Promise<void> {
  await askStudy(session, experiment, { op: "place", ...wanted });
}

/** What a machine knows of a study; undefined where it knows nothing. */
export async function readCopy(session: SshSession, experiment: string): Promise<StudyCopy | undefined> {
  const what = `Looking for a copy of the study of ${experiment}`;
  const text = await callAgent(session, { verb: "study-copy", document: { experiment } }, what);
  return z.object({ copy: copySchema.nullable() }).parse(JSON.parse(text)).copy ?? undefined;
}
