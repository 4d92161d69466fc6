import { join } from "node:path";
import { z } from "zod";
import { hashText } from "../../local/folder/hashes";
import { byPath, ManifestDigest } from "../../local/folder/manifest";
import type { LocalFile, LocalTree } from "../../local/folder/walk";
import type { Listener } from "../../local/listener";
import type { RunPlan } from "../../plan/types";
import { type AgentCall, callAgent } from "../agent";
import { fetchSnapshot } from "../bucket/on-instance";
import { readStatus } from "../run";
import { onOneConnection } from "../ssh/kept";
import { withRetries } from "../transfer/retry";
import { parseRunRecord, type RunRecord } from "../transfer/run-record";
import { uploadTree } from "../transfer/upload";
import type { SshAccess } from "../types";
import { filesText } from "../written";
import { type AtHome, type Found, type Placed, reasonAgainst, resultsToResume } from "./at-home";
import { noteRestored } from "./note";
import { type OutputPlaces, placesOf } from "./places";

/** What of a run tells where its checkpoints are, and which are its own. No variables: they may be secret. */
export type RestoredRun = Pick<
  RunPlan,
  "experiment" | "hash" | "directory" | "outputs" | "resume" | "graceSeconds" | "maxSeconds" | "checkpoints"
>;

/** Which run is to go on, and where what it has left may lie. */
export interface RestorePlace {
  readonly instanceId: string;
  readonly access: SshAccess;
  readonly run: RestoredRun;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Local folder of the stack's results, absolute. */
  readonly directory: string;
}

/** A copy on the file system (`scripts/agent/results/snapshots.py`). */
interface Snapshot {
  readonly folder: string;
  /** The bucket from which it was fetched to that folder; undefined where it lies there. */
  readonly shown?: string;
  readonly name: string;
  readonly checkpoint: string;
  readonly ran: RunRecord;
  readonly places: OutputPlaces;
  readonly writtenAt: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Puts back on an instance what a run has left on an earlier one, from the newest of what lies at home and on the file
 * system, so that the next attempt goes on from there. Does nothing where the experiment was started on this instance.
 */
export function restoreRun(place: RestorePlace, listener: Listener): Promise<void> {
  return onOneConnection(place.access, () => restoreBy(place, listener));
}

async function restoreBy(place: RestorePlace, listener: Listener): Promise<void> {
  const { access, run, directory } = place;
  const { experiment } = run;
  const { attempt } = await withRetries(access, (session) => readStatus(session, experiment), { attempts: 3 });
  if (attempt !== undefined) return;
  const folder = join(directory, experiment);
  listener.status?.("looking for a checkpoint");
  const home = await resultsToResume(folder, run);
  const copies = await snapshotToResume(place);
  for (const note of [...home.notes, ...copies.notes]) listener.progress?.(note);
  const snapshot = isNewer(copies.found, home.found) ? copies.found : undefined;
  if (snapshot === undefined && home.found === undefined) return;
  await putBack(place, { snapshot, home: home.found }, listener);
  // What is not all there must not take the place of what is here.
  if (home.found?.isWhole === true) noteRestored(folder, place.instanceId, home.found.source);
}

function isNewer(snapshot: Snapshot | undefined, home: AtHome | undefined): boolean {
  return snapshot !== undefined && (home === undefined || snapshot.writtenAt > home.newest);
}

async function putBack(
  place: RestorePlace,
  { snapshot, home }: { readonly snapshot?: Snapshot; readonly home?: AtHome },
  listener: Listener,
): Promise<void> {
  const { access, run, workspace, directory } = place;
  const { experiment, hash, resume = {}, outputs, graceSeconds } = run;
  const { ran, places } = snapshot ?? home ?? {};
  if (ran === undefined || places === undefined) return;
  const staged = home && (await stage(place, join(directory, experiment), home.files, listener));
  listener.status?.("putting it into place");
  const document = {
    experiment,
    hash,
    settings: ran.settings,
    run: { workspace, directory: run.directory, outputs, resume, grace: Math.ceil(graceSeconds) },
    places,
    attempts: ran.attempts,
    staged,
    snapshot: snapshot && { folder: snapshot.folder, name: snapshot.name },
  };
  await call(access, { verb: "restore", document }, `Putting back what ${experiment} has left`, 3600);
  listener.progress?.(restoredText(ran, { snapshot, home, folder: join(directory, experiment) }));
}

/** What was put back, and from where. */
function restoredText(
  ran: RunRecord,
  { snapshot, home, folder }: { readonly snapshot?: Snapshot; readonly home?: AtHome; readonly folder: string },
): string {
  const bytes = home?.files.reduce((sum, { entry }) => sum + entry.size, 0) ?? 0;
  const from =
    snapshot === undefined
      ? `${filesText(home?.files.length ?? 0, bytes)} from ${folder}`
      : `${snapshot.checkpoint} (${filesText(snapshot.files, snapshot.bytes)}) from ${snapshot.shown ?? snapshot.folder}/${snapshot.name}`;
  const { number = ran.attempt } = ran.attempts.at(-1) ?? {};
  return `${ran.experiment} goes on as attempt ${number + 1}: put back ${from}`;
}

/** Uploads files of results to a folder of the agent's. */
async function stage(
  { access, run }: RestorePlace,
  folder: string,
  files: readonly Placed[],
  listener: Listener,
): Promise<{ readonly folder: string; readonly name: string }> {
  const name = `restore-${run.experiment}`;
  const remoteRoot = `.lambda-train/restore/${run.experiment}`;
  const tree = treeOf(folder, files);
  await uploadTree(access, { tree, remoteRoot, name, onProgress: listener.progress, onStatus: listener.status });
  return { folder: remoteRoot, name };
}

/** The files as they lie on the instance, with their times in a file of their own. */
function treeOf(folder: string, files: readonly Placed[]): LocalTree {
  const placed = files.map(
    ({ entry, place }): LocalFile => ({ ...entry, path: place, from: join(folder, entry.path) }),
  );
  const known = placed.flatMap(({ path, mtime }) => (mtime === undefined ? [] : [[path, mtime] as const]));
  const content = JSON.stringify(Object.fromEntries(known));
  const size = Buffer.byteLength(content);
  const times: LocalFile = { path: "times.json", size, sha256: hashText(content), executable: false, content };
  const entries = [...placed, times].sort(byPath);
  const digest = new ManifestDigest();
  for (const entry of entries) digest.add(entry);
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  return { root: folder, hash: digest.digest(), count: entries.length, bytes, entries: () => entries };
}

const lookSchema = z.object({
  found: z
    .object({
      name: z.string(),
      checkpoint: z.string(),
      writtenAt: z.number(),
      run: z.unknown(),
      files: z.number(),
      bytes: z.number(),
    })
    .nullable(),
  passed: z.array(z.string()),
});

/** The newest whole copy on the file system with which a run may go on. */
async function snapshotToResume({ access, run }: RestorePlace): Promise<Found<Snapshot>> {
  const { folder, bucket } = run.checkpoints ?? {};
  if (bucket === undefined) return folder === undefined ? { notes: [] } : snapshotIn(folder, { access, run });
  const fetched = await fetchSnapshot(access, run, bucket);
  const { found, notes } = await snapshotIn(fetched.folder, { access, run });
  const passed = fetched.passed.map((each) => `Passed over a copy in ${bucket.url}: ${each}`);
  return { found: found && { ...found, shown: bucket.url }, notes: [...passed, ...notes] };
}

/** The newest one in a folder on the instance. */
async function snapshotIn(
  folder: string,
  { access, run }: Pick<RestorePlace, "access" | "run">,
): Promise<Found<Snapshot>> {
  const document = { hash: run.hash, folder };
  const text = await call(access, { verb: "restore-look", document }, `Looking for checkpoints in ${folder}`, 3600);
  const { found, passed } = lookSchema.parse(JSON.parse(text));
  const notes = passed.map((each) => `Passed over a copy in ${folder}: ${each}`);
  if (found === null) return { notes };
  const ran = parseRunRecord(found.run);
  const why = reasonAgainst(ran, run);
  if (ran === undefined || why !== undefined) {
    return { notes: [...notes, `Nothing is resumed from ${folder}: ${why}`] };
  }
  return { found: { ...found, folder, ran, places: placesOf(ran, run) }, notes };
}

function call(access: SshAccess, what: AgentCall, says: string, timeoutSeconds: number): Promise<string> {
  return withRetries(access, (session) => callAgent(session, what, says, { timeoutSeconds }));
}
