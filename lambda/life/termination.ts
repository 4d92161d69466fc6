import type { Cloud } from "../api/connect";
import { isKind, LambdaApiError } from "../api/errors";
import { type Instance, isEnding } from "../api/schemas";
import { duration, waitFor } from "../api/waiting";
import type { Asked } from "../billing/notes";
import { listedInstance, readInstance } from "./read";
import { isYoung, looksUntilGone } from "./young";

export interface TerminationOptions {
  /** Called at every look: what is happening, and to which instance. */
  readonly status?: (phase: string, detail: string) => void;
  /** The cloud's seconds until giving up. Default 900; calls take their time where the cloud's runs fast, so 20 on the wall. */
  readonly timeoutSeconds?: number;
  /** When it was launched, ISO 8601: the API may not show it yet. Default: long ago. */
  readonly launchedAt?: string;
  /** Told when it is about to be asked to terminate, and again when that was answered. */
  readonly onAsked?: (asked: Asked) => void;
}

/** An instance that is gone. */
export interface Ended {
  /** Whether the API still knew it as something that lives or is on its way out, when this began. */
  readonly existed: boolean;
  /** As the API last showed it. */
  readonly instance?: Instance;
  /** When it was told to terminate by this call; undefined where it ended otherwise. */
  readonly asked?: Asked;
}

/**
 * Terminates an instance and returns when the API confirms that it is gone. Reads first: terminating twice is an error
 * to the API. One answer that does not know it proves nothing, unless it was told to terminate. Throws where it is not
 * confirmed in time: the instance may then still be billed.
 */
export async function terminateAndConfirm(cloud: Cloud, id: string, options: TerminationOptions): Promise<Ended> {
  underWay += 1;
  try {
    return await confirmed(cloud, id, options);
  } finally {
    underWay -= 1;
  }
}

/** Terminations of this process that are not confirmed yet. */
let underWay = 0;

async function confirmed(cloud: Cloud, id: string, options: TerminationOptions): Promise<Ended> {
  const { status, timeoutSeconds = cloud.clock.atLeast(900, 20), launchedAt, onAsked } = options;
  let missing = 0;
  let seen: Instance | undefined;
  let last: Instance | undefined;
  let asked: Asked | undefined;
  let failure: LambdaApiError | undefined;
  const note = (now: Asked): void => {
    asked = now;
    onAsked?.(now);
  };
  const ask = async ({ status }: Instance): Promise<Instance> => {
    // Where answers are lost it is not known which of several calls was the one: the first counts.
    const beforeSend = async (): Promise<void> => {
      if (asked === undefined) note({ sentAt: cloud.clock.date(), status });
    };
    const answer = await cloud.client.terminate(id, { beforeSend });
    note({ ...(asked ?? { sentAt: cloud.clock.date(), status }), answeredAt: cloud.clock.date() });
    return answer;
  };
  const look = async (): Promise<true | undefined> => {
    // With a hundred to look at, each would have its turn after a hundred seconds.
    const instance = await (underWay > 1 ? listedInstance : readInstance)(cloud, id);
    last = instance ?? last;
    if (instance === undefined) {
      missing += 1;
      const isTold = asked?.answeredAt !== undefined || seen?.status === "terminating";
      return isTold || (missing >= looksUntilGone && !isYoung(cloud, launchedAt)) ? true : undefined;
    }
    missing = 0;
    if (instance.status === "terminated" || instance.status === "preempted") return true;
    seen = instance;
    if (instance.status === "terminating") return undefined;
    try {
      last = await ask(instance);
    } catch (error) {
      // What may pass is tried again after another look; all else (key, billing, a bad id) would not help.
      if (!(error instanceof LambdaApiError) || !mayPass(error, instance)) throw error;
      failure = error;
    }
    return undefined;
  };
  const gone = await waitFor(look, {
    clock: cloud.clock,
    timeoutSeconds,
    firstPauseSeconds: 1,
    longestPauseSeconds: 10,
    onWait: () => status?.("terminating", `instance ${id}`),
  });
  if (gone) return { existed: seen !== undefined, instance: last, asked };
  throw new Error(
    `Instance ${id} is still ${seen?.status ?? "not shown by the API"} ${duration(timeoutSeconds)} after it was told to terminate${failure === undefined ? "" : ` (${failure.message})`}. ` +
      "It may still be billed: run `destroy` again, and look at https://cloud.lambda.ai.",
    { cause: failure },
  );
}

/** Whether the same call may succeed later. It is not documented whether a booting instance can be terminated. */
function mayPass(error: LambdaApiError, { status }: Instance): boolean {
  if (error.facts.retryable || isKind(error, "not-found", "conflict")) return true;
  return status === "booting" && isKind(error, "invalid-argument");
}

/** The instance, or undefined where it is gone or ending. */
export async function readLiving(cloud: Cloud, id: string): Promise<Instance | undefined> {
  const instance = await readInstance(cloud, id);
  return instance === undefined || isEnding(instance.status) ? undefined : instance;
}
