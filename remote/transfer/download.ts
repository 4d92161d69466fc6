import { access, mkdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ManifestEntry } from "../../local/folder/manifest";
import { quotedFew } from "../../local/folder/manifest";
import type { Listener } from "../../local/listener";
import { takeLock } from "../../local/lock";
import type { SshSession } from "../session";
import type { SshAccess, Written } from "../types";
import { assemble, recoverSwap } from "./assemble";
import { fetchResults } from "./fetch";
import type { ListingEnd, ListingOptions } from "./listing";
import { Objects } from "./objects";
import { ResultsRecord, resultsFile } from "./results-file";
import { type Attempt, onTarget } from "./retry";
import type { RunRecord } from "./run-record";
import { type Settled, settle } from "./settle";
import { SortedEntries } from "./sorted-entries";

/** What to bring home, and where to. */
export interface DownloadTreeOptions extends ListingOptions {
  /** Local folder that then holds exactly what the remote one held. Its parent is made where it is missing. */
  readonly localFinal: string;
  /** Says where the results come from. Where an earlier download came from elsewhere it is kept beside the new one. */
  readonly source?: string;
  /** The source as an earlier release told it, where what that brought is surely of the same run. */
  readonly formerSource?: string;
  /**
   * The source of earlier results with which the run goes on. What is downloaded takes their place where it has all that they
   * have, but for checkpoints that training has removed.
   */
  readonly goesOnFrom?: string;
  /**
   * Another folder in place of `localFinal`, asked for when no other download goes on there: what that has brought may want the
   * name for itself.
   */
  readonly instead?: () => string | undefined;
  /** Nothing writes any more: a file that changes while it is read is an error then instead of a note. */
  readonly runEnded?: boolean;
  /** Folder for remembered checksums of local files, `<local>/hashes`. */
  readonly hashFolder?: string;
}

/** What a download did. */
export interface Downloaded {
  /** The local folder, absolute. */
  readonly folder: string;
  /** Files and bytes in the local folder now. */
  readonly files: number;
  readonly bytes: number;
  /** What of it went over the line. */
  readonly fetchedFiles: number;
  readonly fetchedBytes: number;
  /** Files that kept changing while they were read, and files that could not be opened: not among the results. */
  readonly unstable: readonly string[];
  /** All that is in the local folder now of what it was made from, by path. */
  entries(): Iterable<ManifestEntry>;
  /** What training wrote elsewhere, where that was asked for. */
  readonly written?: Written;
  /** What ran, where that was asked for. */
  readonly ran?: RunRecord;
  readonly seconds: number;
}

const rounds = 4;

/**
 * Makes a local folder hold what a folder on the instance holds. Everything is fetched into `.partial-<name>` beside it
 * (which a broken download leaves for the next one), checked against the instance's checksums, and then gets its name in
 * one step. The folder gets a `manifest.json` with all checksums. With an access instead of a session a lost connection
 * is made again. Downloads into one folder wait for each other: `results --watch` in one terminal, a page's button and
 * `down` in another may well meet.
 */
export async function downloadTree(target: SshSession | SshAccess, options: DownloadTreeOptions): Promise<Downloaded> {
  const final = resolve(options.localFinal);
  if (options.remoteRoot === "") {
    throw new Error(
      "The folder to download is empty; that would be the whole home folder. Give the run's output path.",
    );
  }
  const partial = join(dirname(final), `.partial-${basename(final)}`);
  await mkdir(partial, { recursive: true }).catch((error: Error) => {
    // Node says of a read-only disk that the folder above does not exist.
    throw new Error(
      `Couldn't make the results' folder ${partial} (${error.message}). Make its disk writable, or set results.directory to another one, and run the command again.`,
      { cause: error },
    );
  });
  const overtaken = new AbortController();
  const release = await takeLock(partial, {
    staleSeconds: 10,
    onWait: (tries) => {
      if (tries === 0) options.onProgress?.("Another command is downloading these results. Waiting for it");
      options.onStatus?.("waiting for another download");
    },
    onLost: () =>
      overtaken.abort(
        new Error(`Another process took over the work in ${partial} while this one was paused. Run the command again.`),
      ),
    signal: options.signal,
  });
  try {
    const signal = AbortSignal.any([overtaken.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    const { instead } = options;
    const other = instead?.();
    if (other === undefined) return await downloadAlone(target, { ...options, signal }, { final, partial });
    return await downloadTree(target, { ...options, signal, instead: undefined, localFinal: other });
  } finally {
    await release();
  }
}

/** The download into a folder that is this process's alone. */
async function downloadAlone(
  target: SshSession | SshAccess,
  options: DownloadTreeOptions & { readonly signal: AbortSignal },
  { final, partial }: { readonly final: string; readonly partial: string },
): Promise<Downloaded> {
  const started = Date.now();
  await recoverSwap(final);
  const objects = await Objects.open(partial, final, options.hashFolder, options.onStatus);
  try {
    return await downloadFrom(target, options, objects, { final, partial, started });
  } finally {
    objects.close();
  }
}

async function downloadFrom(
  target: SshSession | SshAccess,
  options: DownloadTreeOptions & { readonly signal: AbortSignal },
  objects: Objects,
  { final, partial, started }: { readonly final: string; readonly partial: string; readonly started: number },
): Promise<Downloaded> {
  const { onProgress, onStatus } = options;
  const fetched = { files: 0, bytes: 0 };
  const collect = (session: SshSession, attempt: Attempt): Promise<Collected> =>
    collectContent(session, options, objects, attempt, (files, bytes) => {
      fetched.files += files;
      fetched.bytes += bytes;
    });
  const collected = await onTarget(target, collect, options);
  const { record, rest, unstable, skipped, hollow, moved } = collected;
  try {
    // Links without content cannot come home: that is worth a line, and no reason to keep the rest away.
    if (hollow.length > 0) {
      onProgress?.(
        `Skipped links that lead nowhere, or to a folder that holds them (${hollow.length}): ${quotedFew(hollow)}`,
      );
    }
    for (const line of moved) onProgress?.(line);
    if (options.runEnded === true) {
      requireAll(collected, partial);
    }
    options.signal.throwIfAborted();
    const { formerSource, goesOnFrom } = options;
    const sources = { formerSource, goesOnFrom };
    const placed = await assemble({ record, rest, objects, partial, final, ...sources, onProgress, onStatus });
    return {
      folder: final,
      files: placed.count,
      bytes: placed.bytes,
      fetchedFiles: fetched.files,
      fetchedBytes: fetched.bytes,
      unstable: [...unstable, ...skipped],
      entries: () => placed.entries(),
      written: collected.written,
      ran: collected.run,
      seconds: (Date.now() - started) / 1000,
    };
  } finally {
    rest.close();
  }
}

interface Collected extends ListingEnd, Settled {
  readonly access: SshAccess;
}

/** Once the run has ended all files must be here: a last download that leaves some behind would lose them. */
function requireAll({ unstable, skipped, access }: Collected, partial: string): void {
  const kept = `What has arrived is kept in ${partial}.`;
  if (unstable.length > 0) {
    throw new Error(
      `Files kept changing, although the run has ended (${unstable.length}): ${quotedFew(unstable)}. ` +
        `${kept} See which program on the instance still writes to them, and run the command again.`,
    );
  }
  if (skipped.length > 0) {
    const give = `\`npm run exec -- sudo chown -R ${access.user}: <path there>\``;
    throw new Error(
      `Files or folders can't be opened on the instance (${skipped.length}): ${quotedFew(skipped.toSorted())}. ` +
        `${kept} Make them readable there (${give} gives away what root wrote), or remove them, and run the command again.`,
    );
  }
}

/** Fetches until all content is here. A file that is written to meanwhile has another checksum: then it is listed anew. */
async function collectContent(
  session: SshSession,
  options: DownloadTreeOptions,
  objects: Objects,
  attempt: Attempt,
  count: (files: number, bytes: number) => void,
): Promise<Collected> {
  const { access } = session;
  const source = options.source ?? `${access.user}@${access.host}:${options.remoteRoot}`;
  for (let round = 1; ; round++) {
    await objects.renew();
    const entries = new SortedEntries(objects.listPath("entries"));
    try {
      const end = await fetchResults(session, objects, entries, { ...options, count, progressed: attempt.progressed });
      const head = { createdAt: new Date().toISOString(), source, run: end.run };
      const settled = await settle(entries, objects, head, access.host);
      if (settled.unstable.length === 0 || round === rounds) return { ...end, ...settled, access };
      settled.rest.close();
    } finally {
      entries.close();
    }
  }
}

/** What {@link verifyResults} found. */
export interface Verification {
  /** Every file of the manifest is there and has its checksum. */
  readonly ok: boolean;
  readonly files: number;
  readonly bytes: number;
  readonly missing: readonly string[];
  readonly changed: readonly string[];
  /** ISO 8601 time at which the results came home. */
  readonly createdAt: string;
  /** Where they came from. */
  readonly source: string;
}

/** Reads downloaded results again and compares them with their `manifest.json`. Throws where there is none. */
export async function verifyResults(folder: string, onStatus?: Listener["status"]): Promise<Verification> {
  const file = join(folder, resultsFile);
  await access(file).catch((error: Error) => {
    throw new Error(`${folder} holds no verified results: ${file} can't be read (${error.message}).`, {
      cause: error,
    });
  });
  const record = ResultsRecord.read(file);
  const { missing, changed } = await Objects.compare(folder, record, onStatus);
  const { count, bytes } = record;
  const ok = missing.length === 0 && changed.length === 0;
  return { ok, files: count, bytes, missing, changed, createdAt: record.head.createdAt, source: record.head.source };
}
