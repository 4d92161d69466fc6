import { pulumiOutput } from "./pulumi";

/**
 * Lets the state know that the run was stopped: by that the next `up` starts it again, where nothing else has changed too.
 * Never fails. It reports what prevents it, such as another update of the stack.
 */
export async function noteStopped(stack: string, tell: (line: string) => void): Promise<void> {
  try {
    await pulumiOutput(["refresh", "--yes", "--skip-preview", "--stack", stack, "--target", "**::run-watch"]);
  } catch (error) {
    tell(
      "Couldn't record in the stack's state that the run has stopped. To start it again, use `npm run up -- --refresh`: " +
        (error as Error).message,
    );
  }
}
