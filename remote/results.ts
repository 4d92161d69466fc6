import { join, posix } from "node:path";
import { hashFolder } from "../plan/paths";
import type { EvaluationPlan, RunPlan } from "../plan/types";
import { type Listener, tellingTime } from "./listener";
import { evaluateRun, hasEnded, readStatus, stopRun } from "./run";
import { beginFetch, tellFetched } from "./self-termination";
import type { SshSession } from "./session";
import { downloadTree } from "./transfer/download";
import { namedBelow } from "./transfer/names";
import { megabytes } from "./transfer/progress";
import { sourceOf } from "./transfer/results-source";
import { withRetries } from "./transfer/retry";
import type { RunStatus, SshAccess } from "./types";

/** Which results, and where they go. */
export interface ResultsPlace {
  readonly instanceId: string;
  readonly access: SshAccess;
  readonly run: RunPlan;
  readonly evaluation?: EvaluationPlan;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Local folder of the stack's results, absolute. */
  readonly directory: string;
}

/** What came home. */
export interface BroughtHome {
  /** Local folder, absolute. */
  readonly folder: string;
  readonly status: RunStatus;
  readonly files: number;
  readonly bytes: number;
  /** Files that changed while they were read, as a log does while training goes on. */
  readonly unstable: readonly string[];
}

/** The environment variable that lets a destroy go on without results. Its value must be the experiment's name. */
export const loseResultsVariable = "LAMBDA_TRAIN_LOSE_RESULTS";

/** What came home, in words: `12 files, 3.4 MB verified in <folder>`. */
export function homeText({ files, bytes }: BroughtHome, folder: string): string {
  return `${files} files, ${megabytes(bytes)} MB verified in ${folder}`;
}

/**
 * Brings an experiment's outputs and the run's own logs home: partial first, verified, then renamed.
 * @returns undefined where the experiment has never been started: there is nothing to bring.
 * @throws SshError when the instance cannot be reached; Error when the download cannot be verified.
 */
export async function bringHome(place: ResultsPlace, listener: Listener): Promise<BroughtHome | undefined> {
  const { instanceId, access, run, workspace, directory } = place;
  const { status, token } = await look(access, run.experiment, async (session, status) => ({
    status,
    token: hasEnded(status.state) ? await beginFetch(session, status) : undefined,
  }));
  if (status.state === "absent") return undefined;
  const folder = join(directory, run.experiment);
  const logs = posix.dirname(status.logPath);
  const { files, bytes, unstable } = await downloadTree(access, {
    remoteRoot: status.outputPath ?? posix.join(workspace, run.outputs, run.experiment),
    // What the terminal showed comes home as well: a run that crashed early may have written nothing else.
    also: {
      ...namedBelow("earlier", status.earlierOutputPaths),
      ...namedBelow("beside", status.outputsBeside),
      "run/train.log": posix.join(logs, "train.log"),
      "run/evaluate.log": posix.join(logs, "evaluate.log"),
    },
    localFinal: folder,
    ...sourceOf(instanceId, status),
    runEnded: hasEnded(status.state),
    hashFolder: hashFolder(),
    onProgress: listener.progress,
    onStatus: listener.status,
  });
  if (token !== undefined) await tellFetched(access, status, token, listener);
  return { folder, status, files, bytes, unstable };
}

/** A first look, over a connection or two that are lost: an instance that is gone is to be told soon. */
function look<T>(
  access: SshAccess,
  experiment: string,
  then: (session: SshSession, status: RunStatus) => Promise<T>,
): Promise<T> {
  return withRetries(access, async (session) => then(session, await readStatus(session, experiment)), { attempts: 3 });
}

/**
 * Ends a run for good: stops it cleanly if it goes on (SIGTERM, time for a checkpoint, SIGKILL), evaluates what it has
 * reached if that is not done or failed, and brings the results home.
 * @param reason Why it is stopped, as the run's record keeps it.
 */
export async function endRun(
  place: ResultsPlace,
  reason: string,
  listener: Listener,
): Promise<BroughtHome | undefined> {
  const { access, run, evaluation } = place;
  const { experiment, graceSeconds } = run;
  listener.status?.("looking at the run");
  let status = await look(access, experiment, async (_session, seen) => seen);
  if (status.state === "absent") return undefined;
  // Training may have outlived its supervisor: then nothing tells how it ended, and it may go on.
  const mayGoOn = status.state === "failed" && status.exitCode === undefined;
  if (status.state === "starting" || status.state === "running" || mayGoOn) {
    listener.progress?.(`${experiment}: stopping the run, ${graceSeconds} s for a checkpoint`);
    const left = (seconds: number): string => `${Math.max(0, graceSeconds - seconds)} s left for a checkpoint`;
    status = await tellingTime(listener, "stopping", left, () =>
      stopRun(access, { experiment }, { reason, graceSeconds }),
    );
  }
  if (evaluation !== undefined && isToBeEvaluated(status)) {
    listener.status?.("evaluating", `at most ${Math.ceil(evaluation.timeoutSeconds / 60)} min`);
    status = await evaluateRun(access, place);
    if (status.evaluation?.state === "failed") {
      listener.progress?.(
        `${experiment}: evaluation failed with status ${status.evaluation.exitCode ?? "unknown"}; its log is among the results`,
      );
    }
  }
  return bringHome(place, listener);
}

/** Exit status of an evaluation that was ended at its time limit. */
const atTimeLimit = 124;

/**
 * Whether the end of a run should evaluate it. One that failed may have been mended since, and gets another try; one that
 * used up its time would most likely bill for all of it once more.
 */
function isToBeEvaluated({ evaluation }: RunStatus): boolean {
  return evaluation?.state === "failed" ? evaluation.exitCode !== atTimeLimit : evaluation?.state !== "done";
}
