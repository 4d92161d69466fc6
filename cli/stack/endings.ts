import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { keepJson, readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
import { jobsGoingOn } from "../../remote/jobs";
import { hasEnded } from "../../remote/run";
import type { RunStatus } from "../../remote/types";
import type { JobView } from "./stack-view";

/** How a run was seen to have ended. */
const ending = z.object({
  instance: z.string(),
  experiment: z.string(),
  state: z.string(),
  attempt: z.number().optional(),
  /** Milliseconds since the epoch, by the clock of this machine. */
  at: z.number(),
});

const memory = z.object({
  endings: z.array(ending).default([]),
  /** The end of the stack that a `watch` has begun: of which instances, and when, as `at` above. */
  begun: z.object({ instances: z.array(z.string()), at: z.number() }).optional(),
});

export type Ending = Readonly<z.infer<typeof ending>>;

/** The endings that commands have seen of a stack's runs, each on its instance. */
export function knownEndings(stack: string): readonly Ending[] {
  return known(stack).endings;
}

/**
 * Whether a `watch` has begun to end these machines, which have no run any more, and nobody has brought them up since. The
 * note outlives its stack where `pulumi` itself ended that: of another instance, or of one that a later `pulumi up` went on
 * with, it says nothing.
 */
export function isEndBegun(
  stack: string,
  machines: readonly Partial<Pick<JobView, "instance" | "progress">>[],
): boolean {
  const { begun } = known(stack);
  if (begun === undefined) return false;
  return machines.every(({ instance, progress }) => {
    const isAbout = instance !== undefined && begun.instances.includes(instance.id);
    return isAbout && Object.values(progress?.done ?? {}).every(({ first }) => first <= begun.at);
  });
}

/** A `watch` begins to end these instances: the next one goes on, also where the state knows their runs no more. */
export function noteEndBegun(stack: string, instances: readonly string[]): void {
  keep(stack, { begun: { instances: [...instances], at: Date.now() } });
}

/** Somebody brings the stack up again. */
export function forgetEndBegun(stack: string): void {
  if (known(stack).begun !== undefined) keep(stack, { begun: undefined });
}

/** Keeps what a look at a run has told, for commands that don't look at it. */
export function noteStatus({ stack, instance, run }: Omit<JobView, "machine" | "progress">, status: RunStatus): void {
  if (instance === undefined || run === undefined) return;
  const { experiment } = run;
  const before = knownEndings(stack);
  const others = before.filter((each) => each.instance !== instance.id || each.experiment !== experiment);
  const { state, endedAt, attempt, now } = status;
  // A job beside it still works on the instance.
  const isOver = hasEnded(state) && endedAt !== undefined && jobsGoingOn(status).length === 0;
  if (!isOver && others.length === before.length) return;
  const isKnown = before.some((each) => !others.includes(each) && each.state === state && each.attempt === attempt);
  if (isOver && isKnown) return;
  const ago = endedAt === undefined ? 0 : now * 1000 - Date.parse(endedAt);
  const ended = isOver ? [{ instance: instance.id, experiment, state, attempt, at: Date.now() - ago }] : [];
  keep(stack, { endings: [...others, ...ended] });
}

/** An instance is gone: nothing is billed for it any more. */
export function noteGone(stack: string, id: string | undefined): void {
  const before = knownEndings(stack);
  const endings = before.filter(({ instance }) => instance !== id);
  if (endings.length < before.length) keep(stack, { endings });
}

/** The stack is gone. */
export function forgetEndings(stack: string): void {
  rmSync(fileOf(stack), { force: true });
}

function known(stack: string): z.infer<typeof memory> {
  return memory.safeParse(readJson(fileOf(stack))).data ?? memory.parse({});
}

function keep(stack: string, change: Partial<z.infer<typeof memory>>): void {
  keepJson(fileOf(stack), { ...known(stack), ...change });
}

function fileOf(stack: string): string {
  return join(localFolder(), `endings-${stack.replaceAll("/", "-")}.json`);
}
