import { relative } from "node:path";
import { beginsWithin } from "../../lambda/life/maintenance";
import { bringHome, homeText } from "../../remote/results";
import type { SeenJob } from "../stack/seen";
import { isWithRun, resultsPlace } from "../stack/stack-view";
import { printing } from "../terminal/listener";

/** Seconds before maintenance begins from which on every look downloads what is new. */
const leadSeconds = 60 * 60;

/**
 * Brings the results of runs home whose instances Lambda is about to maintain: the work may end the instance, and its
 * disk with it. Never fails, since a watch goes on; what could not be downloaded is told.
 * @param seconds Until the next look: what begins before that is due as well.
 * @param now The API's date, in milliseconds since the epoch.
 */
export async function bringHomeBeforeMaintenance(
  jobs: readonly SeenJob[],
  seconds: number,
  now: number,
): Promise<void> {
  const lead = Math.max(leadSeconds, 2 * seconds);
  for (const { job, status, maintenance } of jobs) {
    if (status === undefined || status.state === "absent" || !isWithRun(job)) continue;
    if (!maintenance.some((event) => beginsWithin(event, lead, now))) continue;
    try {
      const home = await printing(console.error, (listener) => bringHome(resultsPlace(job), listener));
      if (home !== undefined)
        console.error(`Downloaded before the maintenance: ${homeText(home, relative(process.cwd(), home.folder))}.`);
    } catch (error) {
      console.error(
        `Couldn't download the results of ${job.run.experiment} before the maintenance: ${(error as Error).message}`,
      );
    }
  }
}
