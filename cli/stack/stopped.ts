import { pulumiOutput } from "./pulumi";
import type { WithRun } from "./stack-view";

/**
 * Lets the state know that a run was stopped: by that the next `up` starts it again, where nothing else has changed too.
 * Never fails. It reports what prevents it, such as another update of the stack.
 */
export async function noteStopped({ stack, name }: WithRun, tell: (line: string) => void): Promise<void> {
  try {
    await pulumiOutput(["refresh", "--yes", "--skip-preview", "--stack", stack, "--target", `**::${name}-watch`]);
  } catch (error) {
    tell(
      "Couldn't record in the stack's state that the run has stopped. To start it again, use `npm run up -- --refresh`: " +
        (error as Error).message,
    );
  }
}
