import { pulumiOutput } from "./pulumi";

/**
 * Lets the state know that the run was stopped: by that the next `up` starts it again, where nothing else has changed too.
 * Never fails; what is in the way (another update of the stack) is told.
 */
export async function noteStopped(stack: string, tell: (line: string) => void): Promise<void> {
  try {
    await pulumiOutput(["refresh", "--yes", "--skip-preview", "--stack", stack, "--target", "**::run-watch"]);
  } catch (error) {
    tell(
      "The stack's state could not be told that the run has stopped, so it takes `npm run up -- --refresh` to start it again: " +
        (error as Error).message,
    );
  }
}
