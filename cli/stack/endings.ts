import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { keepJson, readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
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

const memory = z.object({ endings: z.array(ending) });

export type Ending = Readonly<z.infer<typeof ending>>;

/** The endings that commands have seen of a stack's runs, each on its instance. */
export function knownEndings(stack: string): readonly Ending[] {
  return memory.safeParse(readJson(fileOf(stack))).data?.endings ?? [];
}

/** Keeps what a look at a run has told, for commands that don't look at it. */
export function noteStatus({ stack, instance, run }: Omit<JobView, "machine" | "progress">, status: RunStatus): void {
  if (instance === undefined || run === undefined) return;
  const { experiment } = run;
  const known = knownEndings(stack);
  const others = known.filter((each) => each.instance !== instance.id || each.experiment !== experiment);
  const { state, endedAt, attempt, now } = status;
  const isOver = hasEnded(state) && endedAt !== undefined;
  if (!isOver && others.length === known.length) return;
  const isKnown = known.some((each) => !others.includes(each) && each.state === state && each.attempt === attempt);
  if (isOver && isKnown) return;
  const ago = endedAt === undefined ? 0 : now * 1000 - Date.parse(endedAt);
  const ended = isOver ? [{ instance: instance.id, experiment, state, attempt, at: Date.now() - ago }] : [];
  keepJson(fileOf(stack), { endings: [...others, ...ended] });
}

/** An instance is gone: nothing is billed for it any more. */
export function noteGone(stack: string, id: string | undefined): void {
  const known = knownEndings(stack);
  const left = known.filter(({ instance }) => instance !== id);
  if (left.length < known.length) keepJson(fileOf(stack), { endings: left });
}

/** The stack is gone. */
export function forgetEndings(stack: string): void {
  rmSync(fileOf(stack), { force: true });
}

function fileOf(stack: string): string {
  return join(localFolder(), `endings-${stack.replaceAll("/", "-")}.json`);
}
