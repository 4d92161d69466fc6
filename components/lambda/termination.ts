import type { Cloud } from "./api/connect";
import { isKind, LambdaApiError } from "./api/errors";
import { type Instance, isEnding } from "./api/schemas";
import { duration, sparsely, waitFor } from "./api/waiting";

export interface TerminationOptions {
  readonly progress: (message: string) => void;
  /** The cloud's seconds until giving up. Default 900. */
  readonly timeoutSeconds?: number;
}

/**
 * Terminates an instance and returns when the API confirms that it is gone; false where it was gone before. Reads
 * first: terminating twice is an error to the API. Throws where it is not confirmed in time: the instance may then
 * still be billed.
 */
export async function terminateAndConfirm(cloud: Cloud, id: string, options: TerminationOptions): Promise<boolean> {
  const { progress, timeoutSeconds = 900 } = options;
  const tell = sparsely(progress, 60);
  let seen: string | undefined;
  let failure: LambdaApiError | undefined;
  const look = async (): Promise<true | undefined> => {
    const instance = await readInstance(cloud, id);
    if (instance === undefined || instance.status === "terminated" || instance.status === "preempted") return true;
    seen = instance.status;
    if (instance.status === "terminating") return undefined;
    try {
      await cloud.client.terminate(id);
    } catch (error) {
      // What may pass is tried again after another look; all else (key, billing, a bad id) would not help.
      if (!(error instanceof LambdaApiError) || !(error.facts.retryable || isKind(error, "not-found", "conflict")))
        throw error;
      failure = error;
    }
    return undefined;
  };
  const gone = await waitFor(look, {
    clock: cloud.clock,
    timeoutSeconds,
    firstPauseSeconds: 3,
    longestPauseSeconds: 10,
    onWait: (elapsed) => tell(elapsed, `instance ${id}: ${seen} since ${duration(elapsed)}`),
  });
  if (gone) return seen !== undefined;
  throw new Error(
    `Instance ${id} is still ${seen} ${duration(timeoutSeconds)} after it was told to terminate${failure === undefined ? "" : ` (${failure.message})`}. ` +
      "It may still be billed: run `destroy` again, and look at https://cloud.lambda.ai.",
    { cause: failure },
  );
}

/** The instance, or undefined where the API does not know it (any more). */
export async function readInstance(cloud: Cloud, id: string): Promise<Instance | undefined> {
  try {
    return await cloud.client.getInstance(id);
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

/** The instance, or undefined where it is gone or ending. */
export async function readLiving(cloud: Cloud, id: string): Promise<Instance | undefined> {
  const instance = await readInstance(cloud, id);
  return instance === undefined || isEnding(instance.status) ? undefined : instance;
}
