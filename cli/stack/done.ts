import { jobsGoingOn } from "../../remote/jobs";
import { hasEnded } from "../../remote/run";
import type { RunStatus } from "../../remote/types";
import { isEndBegun, noteEndBegun } from "./endings";
import { isWorkedOn } from "./killed-cli";
import { hasEndedAtHome } from "./losses";
import { protectionOf } from "./protection";
import type { Seen, SeenJob } from "./seen";

/** Reasons of stops after which somebody goes on with the instance: `npm run stop`, and an `up` that starts the run again. */
const byHand: readonly (string | undefined)[] = ["user", "restart"];

/** Whether a run has ended so that nobody is expected to go on with its instance. */
export function isDone({ state, stopReason }: Pick<RunStatus, "state" | "stopReason">): boolean {
  return hasEnded(state) && !(state === "stopped" && byHand.includes(stopReason));
}

/**
 * Whether a stack is to end because all of its runs have ended (`train.whenDone: down`). A run whose instance is gone counts
 * if its results at home say that it had ended. An unreachable instance never counts.
 */
export function endsWhenDone({ jobs }: Pick<Seen, "jobs">): boolean {
  const stack = jobs[0]?.job.stack;
  // Of what a `watch` couldn't end, the state may know the instances alone.
  const all = jobs.map(({ job }) => job);
  if (stack !== undefined && all.every(({ run }) => run === undefined) && isEndBegun(stack, all)) return true;
  return jobs.length > 0 && jobs.every((each) => each.job.run?.whenDone === "down" && hasBeenDone(each));
}

function hasBeenDone({ job, status, gone, strays }: SeenJob): boolean {
  if (gone) return strays.length === 0 && hasEndedAtHome(job);
  return status !== undefined && isDone(status) && jobsGoingOn(status).length === 0;
}

/**
 * The same now, in words on standard error. While another command works on the stack, that may start the next run. What is
 * protected stays.
 */
export async function isDueByItself(seen: Seen): Promise<boolean> {
  if (!endsWhenDone(seen)) return false;
  const { stack, machines } = seen.view;
  const protection = await protectionOf(stack);
  if (protection !== undefined) {
    const { what, lift } = protection;
    console.error(
      `All runs of ${stack} have ended and train.whenDone is down, but ${what}, so ${stack} stays and keeps billing: ` +
        `${lift}, and the next look ends it.`,
    );
    return false;
  }
  if (await isWorkedOn(stack)) {
    console.error(`Another command is working on ${stack}, so nothing was terminated.`);
    return false;
  }
  console.error(`All runs of ${stack} have ended, and train.whenDone is down: doing what \`down\` does.`);
  noteEndBegun(
    stack,
    machines.flatMap(({ instance }) => instance?.id ?? []),
  );
  return true;
}
