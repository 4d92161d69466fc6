import { relative } from "node:path";
import { bringHome, homeText } from "../../remote/results";
import { withSession } from "../../remote/session";
import type { SeenJob } from "../stack/seen";
import { isWithRun, resultsPlace } from "../stack/stack-view";
import { printing } from "../terminal/listener";
import { markOf } from "./watch";

/** What was downloaded last of a run: when, and what its checkpoints were. */
const known = new Map<string, { readonly at: number; readonly mark: string }>();

/**
 * Downloads the results of runs with `checkpoints.sync: home` that have a new checkpoint, as often as `everyMinutes` lets.
 * Never fails, since a watch goes on; what could not be downloaded is told.
 */
export async function bringNewCheckpointsHome(jobs: readonly SeenJob[]): Promise<void> {
  for (const { job, status } of jobs) {
    if (status === undefined || status.state === "absent" || !isWithRun(job)) continue;
    const { run, instance, access } = job;
    if (run.checkpoints?.sync !== "home") continue;
    const key = `${instance.id}:${run.experiment}`;
    const last = known.get(key);
    const now = performance.now();
    if (last !== undefined && now - last.at < run.checkpoints.everySeconds * 1000) continue;
    try {
      const mark = await withSession(access, (session) => markOf(session, status));
      if (mark === last?.mark) continue;
      const home = await printing(console.error, (listener) => bringHome(resultsPlace(job), listener));
      known.set(key, { at: now, mark });
      if (home !== undefined)
        console.error(`Downloaded a new checkpoint: ${homeText(home, relative(process.cwd(), home.folder))}.`);
    } catch (error) {
      console.error(`Couldn't download the new checkpoint of ${run.experiment}: ${(error as Error).message}`);
    }
  }
}
