import { setTimeout as sleep } from "node:timers/promises";
import { uploadName } from "../../remote/scripts";
import { type AtGiver, lookAtGiver, type Uploaded } from "../../remote/transfer/giver";
import type { HandlerContext } from "../dynamic/handler";
import { look, type OnInstance } from "./place";

/** Another machine of the fleet that may have an upload. */
export interface Giver {
  readonly machine: string;
  readonly instanceId: string;
}

/** An upload that other machines may take. */
export interface Passed extends OnInstance {
  readonly kind: "code" | "folder" | "archive";
  readonly target: string;
  readonly hash: string;
  readonly giver?: Giver;
}

/** For so long a machine waits for an upload to another one that has not begun. */
const patienceMs = 30_000;
const pauseMs = 1000;

/** Uploads that go on in this process. */
const going = new Map<string, Promise<void>>();

function keyOf({ instanceId, target, hash }: Pick<Passed, "instanceId" | "target" | "hash">): string {
  return JSON.stringify([instanceId, target, hash]);
}

/** Runs an upload, and lets those that wait for it know. */
export async function tellUpload(inputs: Passed, upload: () => Promise<void>): Promise<void> {
  const key = keyOf(inputs);
  const goes = upload();
  going.set(key, goes);
  try {
    await goes;
  } finally {
    if (going.get(key) === goes) going.delete(key);
  }
}

/**
 * The machine from which this one can take an upload, once that has it; undefined where it comes from here. Waits for an
 * upload to that machine as long as it goes on, and only briefly for one to begin.
 */
export async function giverWithIt(inputs: Passed, context: HandlerContext): Promise<string | undefined> {
  const { giver, kind, target, hash } = inputs;
  if (giver === undefined || kind === "code") return undefined;
  const uploaded = { kind, name: kind === "folder" ? uploadName(target) : "", hash };
  const refusal = await waitFor(giver, uploaded, inputs, context);
  context.interrupted.throwIfAborted();
  if (refusal === undefined) return giver.machine;
  context.progress(`${refusal}: the dataset is sent from here`);
  return undefined;
}

/** Why nothing can be taken from a machine; undefined once it can. */
async function waitFor(
  { machine, instanceId }: Giver,
  uploaded: Uploaded,
  { target, hash, access }: Passed,
  { status, interrupted }: HandlerContext,
): Promise<string | undefined> {
  const key = keyOf({ instanceId, target, hash });
  const until = Date.now() + patienceMs;
  status(`waiting for the dataset on ${machine}`);
  while (!interrupted.aborted) {
    const upload = going.get(key);
    // How it ended is for its own resource to say.
    await upload?.catch(() => {});
    const { has, error } = await look(access, (session) => lookAtGiver(session, machine, uploaded)).catch(unasked);
    if (has) return undefined;
    if (error !== undefined) return error;
    if (upload !== undefined || Date.now() > until) return `${machine} doesn't have the dataset`;
    await sleep(pauseMs, undefined, { signal: interrupted }).catch(() => {});
  }
  return undefined;
}

function unasked(error: Error): AtGiver {
  return { has: false, error: error.message };
}
