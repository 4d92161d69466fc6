import { withSession } from "../../remote/session";
import { readStudy, type Study } from "../../remote/study";
import { jobsOf, type StackView } from "../stack/stack-view";
import { isWorker } from "./trials";

/** A sweep of a stack, as its study tells it; without a study: why it can't be asked. */
export interface SweepReport {
  readonly experiment: string;
  readonly study?: Study;
  readonly reason?: string;
}

/** Asks the studies of a stack's sweeps. */
export function sweepsOf(view: StackView): Promise<SweepReport[]> {
  const workers = jobsOf(view).filter(isWorker);
  const owners = workers.filter(({ machine, worker }) => machine === worker.study);
  return Promise.all(
    owners.map(async ({ access, run: { experiment } }) => {
      try {
        return { experiment, study: await withSession(access, (session) => readStudy(session, experiment)) };
      } catch (error) {
        return { experiment, reason: (error as Error).message };
      }
    }),
  );
}
