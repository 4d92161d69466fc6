import { setTimeout as sleep } from "node:timers/promises";
import type { BroughtHome } from "../../remote/home";
import { readMachine } from "../../remote/machine";
import { bringHome, type ResultsPlace } from "../../remote/results";
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
 * Brings results home whenever there is a new checkpoint, and once more when a run has ended. A lost connection is made
 * again; what has arrived stays here, verified.
 * @param placesOf Whose results: asked before each look, since a sweep starts further trials.
 * @param seconds Between two looks.
 * @param onHome Told of each download.
 * @returns the last download; undefined where nothing was ever started, or `stop` came before the first.
 */
export async function keepBringingHome(
  placesOf: () => Promise<readonly ResultsPlace[]>,
  options: {
    readonly seconds: number;
    readonly stop: AbortSignal;
    readonly onHome: (home: BroughtHome) => void;
    readonly onProgress: (line: string) => void;
  },
): Promise<BroughtHome | undefined> {
  const { seconds, stop, onHome, onProgress } = options;
  // What was seen when the last download began, by experiment.
  const known = new Map<string, string>();
  let last: BroughtHome | undefined;
  while (!stop.aborted) {
    try {
      const places = await placesOf();
      let over = true;
      for (const place of places) {
        const { experiment } = place.run;
        const seen = await look(place);
        if (seen === undefined) continue;
        const mark = `${seen.ended ? "ended" : ""}${seen.mark}`;
        if (mark !== known.get(experiment)) {
          const home = await bringHome(place, { progress: () => {} });
          if (home !== undefined) onHome(home);
          last = home ?? last;
          known.set(experiment, mark);
        }
        over &&= seen.ended;
      }
      // Ended before the downloads began: all is here, unless more was started meanwhile.
      if (over && (places.length === 1 || (await placesOf()).length === places.length)) return last;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      onProgress(`${(error as Error).message} Looking again in ${seconds} s.`);
    }
    await sleep(seconds * 1000, undefined, { signal: stop }).catch(() => {});
  }
  return last;
}
