import { stopRun } from "../../remote/run";
import { sideBySide } from "./of-each";
import { pulumiOutput } from "./pulumi";
import { isWithRun, type JobView, trainingOf, type WithRun } from "./stack-view";

/** Why somebody's run was stopped, as its record keeps it. */
export const userReason = "user";

/**
 * Waits until the other machines of a run's training have stopped as well. They do so by themselves, a moment after it; until
 * then an `up` would take them for running. Never fails: it reports one that gives no answer, as one that is lost.
 * @param all The jobs of the stack.
 * @returns all machines of the training.
 */
export async function stopOthers(
  view: WithRun,
  all: readonly JobView[],
  tell: (line: string) => void,
): Promise<readonly WithRun[]> {
  const training = trainingOf(all, view).filter(isWithRun);
  const others = training.filter(({ machine }) => machine !== view.machine);
  const stopping = sideBySide(others, ({ access, run: { experiment, graceSeconds }, machine }) =>
    stopRun(access, { experiment }, { reason: userReason, graceSeconds }).catch((error: Error) =>
      tell(`Couldn't wait for the end of ${experiment} on ${machine}: ${error.message}`),
    ),
  );
  await Promise.all(stopping);
  return training;
}

/**
 * Lets the state know that a run was stopped, on all machines that train it: by that the next `up` starts it again, where
 * nothing else has changed too.
 * Never fails. It reports what prevents it, such as another update of the stack.
 */
export async function noteStopped(
  stack: string,
  runs: readonly Pick<WithRun, "name">[],
  tell: (line: string) => void,
): Promise<void> {
  const targets = runs.flatMap(({ name }) => ["--target", `**::${name}-watch`]);
  try {
    await pulumiOutput(["refresh", "--yes", "--skip-preview", "--stack", stack, ...targets]);
  } catch (error) {
    tell(
      "Couldn't record in the stack's state that the run has stopped. To start it again, use `npm run up -- --refresh`: " +
        (error as Error).message,
    );
  }
}
