import { type SshSession, withSession } from "../../remote/session";
import { readStudy, type Study } from "../../remote/study";
import { jobsOf, type StackView } from "../stack/stack-view";
import { isWorker, type WithWorker } from "./trials";

/** A sweep of a stack, as its study tells it; without a study: why it can't be asked. */
export interface SweepReport {
  readonly experiment: string;
  readonly study?: Study;
  readonly reason?: string;
}

/** Does something over a connection to the machine of a worker. */
export type OverConnection = <T>(worker: WithWorker, what: (session: SshSession) => Promise<T>) => Promise<T>;

const anew: OverConnection = ({ access }, what) => withSession(access, what);

/**
 * Asks the studies of a stack's sweeps. Never fails.
 * @param over Default: a connection of its own for each.
 */
export function sweepsOf(view: StackView, over: OverConnection = anew): Promise<SweepReport[]> {
  const workers = jobsOf(view).filter(isWorker);
  const owners = workers.filter(({ machine, worker }) => machine === worker.study);
  return Promise.all(
    owners.map(async (owner) => {
      const { experiment } = owner.run;
      try {
        return { experiment, study: await over(owner, (session) => readStudy(session, experiment)) };
      } catch (error) {
        return { experiment, reason: (error as Error).message };
      }
    }),
  );
}
