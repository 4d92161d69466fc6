import { endJobs } from "../../remote/jobs";
import { homeText, type ResultsPlace } from "../../remote/results";
import type { RunStatus } from "../../remote/types";
import type { HandlerContext } from "../dynamic/handler";

/** Whether a job depends on what has changed: it has code and settings of its own. */
export function reachesJobs(changed: string): boolean {
  return !/^the (code|configuration)\b/.test(changed);
}

/** What is told where jobs keep changes waiting. */
export function jobsWaitedFor(jobs: readonly string[], changed: readonly string[]): string {
  const [first = ""] = jobs;
  return (
    `Running beside the ended run: ${jobs.join(", ")}. So these changes wait: ${changed.join(", ")}. To apply them now, end ` +
    `what runs (\`npm run stop -- --run ${first}\`), then \`npm run up\`.`
  );
}

/** Ends the jobs beside a run before what they depend on changes, and downloads what they wrote. Fails if it can't. */
export async function endJobsBeside(place: ResultsPlace, status: RunStatus, context: HandlerContext): Promise<void> {
  for (const ended of await endJobs(place, status, "restart", context)) {
    const { experiment } = ended.place.run;
    if ("error" in ended) {
      throw new Error(
        `Couldn't download the results of ${experiment}, so nothing was changed. ${ended.error.message}`,
        { cause: ended.error },
      );
    }
    if (ended.home !== undefined) context.progress(`${experiment}: ${homeText(ended.home, ended.home.folder)}`);
  }
}
