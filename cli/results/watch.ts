import { setTimeout as sleep } from "node:timers/promises";
import { readMachine } from "../../remote/machine";
import { type BroughtHome, bringHome, type ResultsPlace } from "../../remote/results";
import { hasEnded, readStatus } from "../../remote/run";
import { isRetryable, type SshSession, withSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";

/** A look at the run: whether it has ended, and what its checkpoints are. undefined: never started. */
async function look({ access, run }: ResultsPlace): Promise<{ ended: boolean; mark: string } | undefined> {
  return withSession(access, async (session) => {
    const status = await readStatus(session, run.experiment);
    if (status.state === "absent") return undefined;
    return { ended: hasEnded(status.state), mark: await markOf(session, status) };
  });
}

/** What the checkpoints of a run are: another text whenever there is a new one. */
export async function markOf(
  session: SshSession,
  { experiment, attempt, outputPath, writtenElsewhere }: RunStatus,
): Promise<string> {
  const { checkpoints } = await readMachine(session, { experiment, outputPath });
  return JSON.stringify([attempt, checkpoints, writtenElsewhere?.checkpoints]);
}

/**
 * Brings the results home whenever there is a new checkpoint, and once more when the run has ended. A lost connection is
 * made again; what has arrived stays here, verified.
 * @param seconds Between two looks.
 * @param onHome Told of each download.
 * @returns the last download; undefined where the experiment was never started, or `stop` came before the first.
 */
export async function keepBringingHome(
  place: ResultsPlace,
  options: {
    readonly seconds: number;
    readonly stop: AbortSignal;
    readonly onHome: (home: BroughtHome) => void;
    readonly onProgress: (line: string) => void;
  },
): Promise<BroughtHome | undefined> {
  const { seconds, stop, onHome, onProgress } = options;
  let known: string | undefined;
  let home: BroughtHome | undefined;
  while (!stop.aborted) {
    try {
      const seen = await look(place);
      if (seen === undefined) return undefined;
      if (seen.ended || seen.mark !== known) {
        home = await bringHome(place, { progress: () => {} });
        if (home !== undefined) onHome(home);
        known = seen.mark;
        // Ended before the download began: all is here.
        if (seen.ended) return home;
      }
    } catch (error) {
      if (!isRetryable(error)) throw error;
      onProgress(`${(error as Error).message} Looking again in ${seconds} s.`);
    }
    await sleep(seconds * 1000, undefined, { signal: stop }).catch(() => {});
  }
  return home;
}
