import { join, posix } from "node:path";
import { atMost } from "../local/at-most";
import { type Listener, tellingTime } from "../local/listener";
import { hashFolder } from "../local/paths";
import { findSecrets, secretsConfig } from "../plan/secrets";
import type { EvaluationPlan, RunPlan } from "../plan/types";
import { callAgent } from "./agent";
import { isHomeInBucket, keepInBucket } from "./bucket/on-instance";
import type { BroughtHome } from "./home";
import { restoredSource } from "./restore/note";
import { evaluateRun, hasEnded, readStatus, stopRun } from "./run";
import { bringSecrets, lookForSecrets, secretsText } from "./secrets";
import { beginFetch, removeAside, tellFetched } from "./self-termination";
import type { SshSession } from "./session";
import { onOneConnection } from "./ssh/kept";
import { type Downloaded, downloadTree } from "./transfer/download";
import { namedBelow, outputsAtHome, pathAtHome } from "./transfer/names";
import { ResultsRecord, recordHead, resultsFile } from "./transfer/results-file";
import { sourceOf } from "./transfer/results-source";
import { withRetries } from "./transfer/retry";
import { folderOfPart, prunedReason } from "./trial-part";
import type { RunStatus, SshAccess } from "./types";
import { offlineRunOf } from "./wandb-runs";
import { elsewhereLines, filesText, isCheckpoint, leftCheckpoint, leftText, ownLogs, parseWritten } from "./written";

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
  /** It is a trial of a sweep: `evaluation` holds placeholders, and its machine alone knows what they stand for. */
  readonly isTrial?: true;
  /** It is a job beside a run: a command that need not leave anything. */
  readonly isJob?: true;
}

/** Whom to tell how far it is, and what ends a wait. */
interface Waiting extends Listener {
  readonly interrupted?: AbortSignal;
  /** Value of a key of the stack's configuration, decrypted. Default: nothing is known of it. */
  readonly config?: (key: string) => string | undefined;
}

/** Why a run is stopped whose instance goes. */
export const destroyReason = "destroy";

/** The environment variable that lets a destroy go on without results. Its value must be the experiment's name. */
export const loseResultsVariable = "LAMBDA_TRAIN_LOSE_RESULTS";

/** What came home, in words: `12 files, 3.4 MB verified in <folder>`. */
export function homeText({ files, bytes, workloadFiles }: BroughtHome, folder: string): string {
  return workloadFiles === 0
    ? `only the run's own log is in ${folder}; the workload wrote nothing else to download`
    : `${filesText(files, bytes)} verified in ${folder}`;
}

/** What else is to be said of what came home, a line each: what was written elsewhere, and what is missing. */
export function homeNotes(home: BroughtHome): string[] {
  const warnings = [secretsText(home.secrets), lossText(home)].filter((warning) => warning !== undefined);
  return [...elsewhereLines(home.written), ...warnings.map((warning) => `WARNING: ${warning}`)];
}

/** Seconds within which a run that fails before its first step is taken for one that had nothing to write yet. */
const noTimeToWrite = 600;

/** Whether a run ended so early that nothing is missed where nothing was found. */
export function wroteNothing({ status, workloadFiles, written }: BroughtHome): boolean {
  const { state, firstStepAt, usedSeconds = 0 } = status;
  const early = firstStepAt === undefined && usedSeconds <= noTimeToWrite;
  return workloadFiles === 0 && (state === "failed" || state === "stopped") && early && leftText(written) === undefined;
}

/** What ending the instance now would most likely lose for good, in words; undefined where nothing speaks for it. */
export function lossText(home: BroughtHome): string | undefined {
  const { status, workloadFiles, hasCheckpoint, written } = home;
  const left = leftText(written);
  if (workloadFiles === 0 && !wroteNothing(home)) {
    const others = left === undefined ? "" : ` Left on the instance by a rule: ${left}.`;
    return (
      `${status.experiment} left nothing but its log: its outputs, the workspace and the home folder hold no new file to ` +
      `download.${others} If it wrote elsewhere, or to one of these, list that place in results.include.`
    );
  }
  const checkpoint = hasCheckpoint ? undefined : leftCheckpoint(written);
  if (checkpoint === undefined) return undefined;
  return (
    `No checkpoint is among the results of ${status.experiment}, but ${checkpoint.path} ` +
    `(${filesText(1, checkpoint.bytes)}) looks like one and stays on the instance. Left there by a rule: ${left}. ` +
    "If it is a result, list it in results.include."
  );
}

/** The same of a run at its place. Of machines that train together, most leave all writing to rank 0. */
export function missedText({ run }: Pick<ResultsPlace, "run">, home: BroughtHome): string | undefined {
  return (run.node?.rank ?? 0) > 0 ? undefined : lossText(home);
}

/**
 * Sees that ending the instance loses nothing that somebody would miss.
 * @throws Error that says what would be lost, and what to do.
 */
export function requireResults(place: Pick<ResultsPlace, "instanceId" | "run">, home: BroughtHome): void {
  const { instanceId, run } = place;
  const loss = missedText(place, home);
  if (loss === undefined) return;
  throw new Error(
    `${loss} Instance ${instanceId} keeps running and billing. After a change of results.include, run ` +
      "`npm run up`, which doesn't touch the run, then `npm run down`. To terminate it as it is: " +
      `\`npm run down -- --lose-results\`, or ${loseResultsVariable}=${run.experiment} for \`pulumi destroy\`. The same ` +
      "variable lets `npm run up` start another experiment on the instance.",
  );
}

/**
 * Brings an experiment's outputs and the run's own logs home: partial first, verified, then renamed.
 * @returns undefined where there is nothing to bring: the experiment has never been started, and nobody has trained by
 * exec or in a notebook.
 * @throws SshError when the instance cannot be reached; Error when the download cannot be verified.
 */
export function bringHome(place: ResultsPlace, listener: Waiting): Promise<BroughtHome | undefined> {
  return onOneConnection(place.access, () => bringHomeBy(place, listener));
}

/** A hundred at once would share the line, the disk and this machine's memory. */
const inTurn = atMost(8);

function bringHomeBy(place: ResultsPlace, listener: Waiting): Promise<BroughtHome | undefined> {
  const { status, interrupted } = listener;
  status?.("waiting for other downloads");
  // What an interrupt met on its way goes on to its end.
  const wait = interrupted?.aborted === true ? undefined : interrupted;
  return inTurn(() => {
    wait?.throwIfAborted();
    return bringHomeNow(place, listener);
  });
}

async function bringHomeNow(place: ResultsPlace, listener: Listener): Promise<BroughtHome | undefined> {
  const home = await bringAllHome(place, listener);
  const { access, run } = place;
  if (home === undefined || run.secrets === undefined || home.status.state === "absent") return home;
  return { ...home, secrets: await withRetries(access, (session) => lookForSecrets(session, run.experiment)) };
}

async function bringAllHome(place: ResultsPlace, listener: Listener): Promise<BroughtHome | undefined> {
  const { instanceId, access, run, workspace, directory } = place;
  const { status, token } = await look(access, run.experiment, async (session, status) => ({
    status,
    token: hasEnded(status.state) ? await beginFetch(session, status) : undefined,
  }));
  if (status.state === "absent" && !(await isWrittenByHand(access, run))) return undefined;
  const folder = join(directory, run.experiment);
  const asides = new Map<string, Downloaded>();
  for (const aside of status.asides ?? []) asides.set(aside.name, await bringAside(place, aside, folder, listener));
  const below = outputsAtHome(status.outputPath, run);
  if (status.apart === true) {
    const { source } = sourceOf(instanceId, status);
    const known = asides.get(String(status.attempt)) ?? downloadedBefore(folder, source);
    return broughtHome({ status, folder, below }, known);
  }
  const logs = posix.dirname(status.logPath);
  const { include = [], exclude = [] } = run;
  // What was written by hand all counts as written elsewhere.
  const root =
    status.state === "absent" ? posix.join(logs, "none") : posix.join(workspace, run.outputs, run.experiment);
  const downloaded = await downloadTree(access, {
    remoteRoot: status.outputPath ?? root,
    below,
    // What the terminal showed comes home as well: a run that crashed early may have written nothing else.
    also: {
      ...namedBelow("earlier", status.earlierOutputPaths),
      ...namedBelow("beside", status.outputsBeside),
      "run/train.log": posix.join(logs, "train.log"),
      "run/evaluate.log": posix.join(logs, "evaluate.log"),
    },
    localFinal: folder,
    writtenBy: { experiment: run.experiment, include, exclude },
    recordOf: { experiment: run.experiment },
    ...sourceOf(instanceId, status),
    goesOnFrom: goesOnFrom(folder, instanceId, status),
    instead: () => folderOfPart(place, status),
    runEnded: hasEnded(status.state),
    hashFolder: hashFolder(),
    onProgress: listener.progress,
    onStatus: listener.status,
  });
  const home = broughtHome({ status, folder: downloaded.folder, below }, downloaded);
  // Results that are nowhere else keep an instance from ending itself.
  if (token !== undefined && (place.isJob === true || lossText(home) === undefined)) {
    await tellFetched(access, status, token, listener);
  }
  return home;
}

/** The source of results that were put back for this run, where that ran with the same settings on the same code. */
function goesOnFrom(folder: string, instanceId: string, status: RunStatus): string | undefined {
  const restored = restoredSource(folder, instanceId);
  const isSame = restored?.split("@")[1] === sourceOf(instanceId, status).source.split("@")[1];
  return isSame ? restored : undefined;
}

/** Of a download, what lies at home. */
type AtHome = Pick<Downloaded, "files" | "bytes" | "unstable" | "entries" | "written" | "ran">;

function broughtHome(
  { status, folder, below }: Pick<BroughtHome, "status" | "folder"> & { readonly below: string | undefined },
  { files, bytes, unstable, entries, written, ran }: AtHome,
): BroughtHome {
  let [workloadFiles, hasCheckpoint] = [0, false];
  const offlineRuns = new Set<string>();
  for (const entry of entries()) {
    if (entry.folder === true || ownLogs.includes(entry.path)) continue;
    workloadFiles += 1;
    hasCheckpoint ||= isCheckpoint(entry);
    const offlineRun = entry.link === undefined ? offlineRunOf(entry.path) : undefined;
    if (offlineRun !== undefined) offlineRuns.add(offlineRun);
  }
  return {
    folder,
    outputs: below === undefined ? folder : join(folder, pathAtHome(below)),
    status,
    files,
    bytes,
    workloadFiles,
    hasCheckpoint,
    offlineRuns: [...offlineRuns],
    written,
    ran,
    unstable,
  };
}

/** What an earlier download from a source has left here; nothing where that is gone, or something else is in its place. */
function downloadedBefore(folder: string, source: string): AtHome {
  const isThere = recordHead(folder)?.source === source;
  const known = isThere ? ResultsRecord.read(join(folder, resultsFile)) : undefined;
  const { count = 0, bytes = 0 } = known ?? {};
  return { files: count, bytes, unstable: [], entries: () => known?.entries() ?? [], ran: known?.head.run };
}

/** Whether something was written on an instance since its environment was ready, though the experiment was never started. */
function isWrittenByHand(access: SshAccess, { experiment, include = [], exclude = [] }: RunPlan): Promise<boolean> {
  const call = { verb: "written-by-hand", document: { experiment, keys: { include, exclude } } };
  return withRetries(access, async (session) => {
    const text = await callAgent(session, call, "Looking for what was written by hand", { timeoutSeconds: 600 });
    return parseWritten(JSON.parse(text), access.host).found.length > 0;
  });
}

/** Brings results of an earlier configuration home; those of the next one then find them there, and keep them beside. */
async function bringAside(
  { instanceId, access, run }: ResultsPlace,
  { name, path, kept }: NonNullable<RunStatus["asides"]>[number],
  localFinal: string,
  listener: Listener,
): Promise<Downloaded> {
  listener.progress?.(`${run.experiment}: downloading the results of attempt ${name}, which had other settings`);
  const { "": root = "none", ...also } = kept.places;
  const there = (below: string): string => posix.join(path, below);
  const downloaded = await downloadTree(access, {
    remoteRoot: there(root),
    below: outputsAtHome(kept.outputPath, run),
    also: Object.fromEntries(Object.entries(also).map(([at, below]) => [at, there(below)])),
    localFinal,
    recordOf: { experiment: run.experiment, aside: name },
    source: sourceOf(instanceId, { experiment: run.experiment, hash: kept.hash, stands: kept.stands }).source,
    runEnded: true,
    hashFolder: hashFolder(),
    onProgress: listener.progress,
    onStatus: listener.status,
  });
  await withRetries(access, (session) => removeAside(session, run.experiment, name));
  return downloaded;
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
export function endRun(place: ResultsPlace, reason: string, listener: Waiting): Promise<BroughtHome | undefined> {
  return onOneConnection(place.access, () => endRunBy(place, reason, listener));
}

async function endRunBy(place: ResultsPlace, reason: string, listener: Waiting): Promise<BroughtHome | undefined> {
  const { access, run, evaluation } = place;
  const { experiment, graceSeconds } = run;
  listener.status?.("looking at the run");
  let status = await look(access, experiment, async (_session, seen) => seen);
  if (status.state === "absent") return bringHomeBy(place, listener);
  // Training may have outlived its supervisor: then nothing tells how it ended, and it may go on.
  const mayGoOn = status.state === "failed" && status.exitCode === undefined;
  if (status.state === "starting" || status.state === "running" || mayGoOn) {
    listener.progress?.(`${experiment}: stopping the run, ${graceSeconds} s for a checkpoint`);
    const left = (seconds: number): string => `${Math.max(0, graceSeconds - seconds)} s left for a checkpoint`;
    status = await tellingTime(listener, "stopping", left, () =>
      stopRun(access, { experiment }, { reason, graceSeconds }),
    );
  }
  // What it was trained on may be gone by now.
  if (evaluation !== undefined && status.apart !== true && isToBeEvaluated(status)) {
    listener.status?.("evaluating", `at most ${Math.ceil(evaluation.timeoutSeconds / 60)} min`);
    await bringForEvaluation(place, listener);
    status = await evaluateRun(access, place);
    if (status.evaluation?.state === "failed") {
      listener.progress?.(
        `${experiment}: evaluation failed with status ${status.evaluation.exitCode ?? "unknown"}; its log is among the results`,
      );
    }
  }
  const isLast = reason === destroyReason;
  return isLast && isHomeInBucket(run) ? keepInBucket(place, run.bucket, listener) : bringHomeBy(place, listener);
}

/** Whoever ends a run may lack its secrets: then its evaluation goes without them, and its results come home all the same. */
async function bringForEvaluation({ access, run }: ResultsPlace, { progress, config }: Waiting): Promise<void> {
  if (run.secrets === undefined) return;
  const { values, problems } = findSecrets(run.secrets, {
    environment: process.env,
    configured: config?.(secretsConfig),
  });
  // Those that wait there for the bucket stay.
  if (problems.length > 0 && run.bucket !== undefined) return;
  if (problems.length > 0)
    progress?.(
      `${run.experiment}: evaluating without ${problems.map(({ field }) => field).join(", ")}, not found here`,
    );
  await withRetries(access, (session) => bringSecrets(session, values), { attempts: 3 });
}

/** Exit status of an evaluation that was ended at its time limit. */
const atTimeLimit = 124;

/**
 * Whether the end of a run should evaluate it. One that failed may have been mended since, and gets another try; one that
 * used up its time would most likely bill for all of it once more.
 */
function isToBeEvaluated({ evaluation, stopReason }: RunStatus): boolean {
  // A trial that was worse than the others is not worth it.
  if (stopReason === prunedReason) return false;
  return evaluation?.state === "failed" ? evaluation.exitCode !== atTimeLimit : evaluation?.state !== "done";
}
