import { relative } from "node:path";
import { homeText } from "../../remote/results";
import { sideBySide } from "../stack/of-each";
import type { SeenJob } from "../stack/seen";
import { bringEndedHome, isWorker } from "../sweep/trials";
import { printing } from "../terminal/listener";

/**
 * Brings the results of a sweep's trials home that have ended, while others go on; those whose home is a bucket go there by
 * themselves. Never fails, since a watch goes on; what
 * could not be downloaded is told.
 */
export async function bringTrialsHome(jobs: readonly SeenJob[]): Promise<void> {
  const workers = jobs.filter(({ gone, job }) => !gone && job.run?.bucket?.home !== true).map(({ job }) => job);
  const bringing = sideBySide(workers.filter(isWorker), async (worker) => {
    try {
      const homes = await printing(console.error, (listener) => bringEndedHome(worker, listener));
      for (const home of homes) {
        const folder = relative(process.cwd(), home.folder);
        console.error(`${home.status.experiment}: ${homeText(home, folder)}`);
      }
    } catch (error) {
      console.error(`Couldn't download trials from ${worker.machine}: ${(error as Error).message}`);
    }
  });
  await Promise.all(bringing);
}
