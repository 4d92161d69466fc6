import { posix } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { hashText } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import { byPath, checkManifest, isSafePath } from "../../local/folder/manifest";
import { type AgentCall, startAgent } from "../agent";
import { endedSoon, type SshSession, sshFailure } from "../session";
import type { Written } from "../types";
import { parseWritten } from "../written";
import { isBrokenStream } from "./broken";
import { fileCounter } from "./counter";
import { linesOf } from "./lines";
import { isOwnName, linkAtHome, movedText, pathAtHome, topOf } from "./names";
import type { TransferOptions } from "./retry";
import { parseRunRecord, type RunRecord } from "./run-record";

/** A file on the instance. */
export interface RemoteEntry extends ManifestEntry {
  /** How to ask for it. */
  readonly id: string;
  /** Bytes that it takes on a disk, where these are far fewer than its size. */
  readonly held?: number;
}

/** What was found. */
export interface Listing {
  readonly entries: readonly RemoteEntry[];
  /** Paths that could not be opened. */
  readonly skipped: readonly string[];
  /** Symbolic links without content: they lead nowhere, or to a folder that holds them. */
  readonly hollow: readonly string[];
  /** A line for people for each name of the workload's that is another one at home. */
  readonly moved: readonly string[];
  /** What training wrote elsewhere, where that was asked for. */
  readonly written?: Written;
  /** What ran, where that was asked for. */
  readonly run?: RunRecord;
}

/** Of which experiment to list also what it wrote outside of its outputs, and what is a result of it in spite of the rules. */
interface WrittenBy {
  readonly experiment: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** What to list. */
export interface ListingOptions extends TransferOptions {
  /** Folder on the instance, relative to the home folder or absolute. */
  readonly remoteRoot: string;
  /** Folder of the local one that holds this instead of the local folder itself. */
  readonly below?: string;
  /** Further files or folders of the instance that belong to the results: path in the local folder → path there. */
  readonly also?: Readonly<Record<string, string>>;
  /** List also what this experiment wrote outside of its outputs, below `beside/`. */
  readonly writtenBy?: WrittenBy;
  /** Tell also what ran: the newest attempt of an experiment, or one whose results are kept apart under this name. */
  readonly recordOf?: { readonly experiment: string; readonly aside?: string };
}

const mostFiles = 2_000_000;
const mostListingBytes = 4 * 1024 ** 3;

/** Lists a folder on the instance with checksums. What comes back is refused unless it is sane. */
export async function listRemote(session: SshSession, options: ListingOptions): Promise<Listing> {
  const places = Object.entries({ "": options.remoteRoot, ...options.also }).map(([at, path]) => ({ at, path }));
  const { experiment, include = [], exclude = [] } = options.writtenBy ?? {};
  const written = experiment === undefined ? undefined : { experiment, keys: { include, exclude } };
  const what = `Listing ${options.remoteRoot}`;
  const origin = session.access.host;
  const entries: RemoteEntry[] = [];
  const tops = new Set<string>();
  let last: Last | undefined;
  const count = fileCounter(options.onStatus, "listing the results");
  const take = (lines: readonly string[]): void => {
    for (const line of lines) {
      const value = JSON.parse(line) as Line & Last;
      if (last !== undefined) throw new Error(`The listing from ${origin} continues after its end, so it is refused.`);
      if (value.end === true) last = value;
      else entries.push(entryAtHome(value, options.below, tops));
    }
    if (entries.length > mostFiles) {
      throw new Error(
        `${options.remoteRoot} on ${origin} has over ${mostFiles.toLocaleString("en-US")} files; that is refused.`,
      );
    }
    count(lines.length);
  };
  await readLines(
    session,
    { verb: "list", document: { places, written, record: options.recordOf } },
    what,
    take,
    options.signal,
  );
  if (last?.end !== true || !Array.isArray(last.skipped) || !Array.isArray(last.hollow)) {
    throw new Error(`${what} on ${origin} ended too early. Run the command again.`);
  }
  checkManifest({ files: entries }, origin);
  const moved = [...tops].filter(isOwnName).sort().map(movedText);
  return {
    entries: entries.sort(byPath),
    skipped: saneNames(last.skipped),
    hollow: saneNames(last.hollow),
    moved,
    written: written && parseWritten(last.written, origin),
    run: parseRunRecord(last.run),
  };
}

/** Calls a verb whose packed output is lines, and hands these on as they come. */
async function readLines(
  session: SshSession,
  call: AgentCall,
  what: string,
  take: (lines: readonly string[]) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const remote = await startAgent(session, call);
  remote.stdin.end();
  const said = text(remote.stderr).catch(() => "");
  let broken = false;
  try {
    const unpacked = createGunzip();
    const unpacking = pipeline(remote.stdout, unpacked, { signal });
    unpacking.catch(() => {});
    for await (const lines of linesOf(unpacked, mostListingBytes)) take(lines);
    await unpacking;
  } catch (error) {
    if (signal?.aborted === true || !isBrokenStream(error)) {
      remote.kill();
      throw signal?.aborted === true ? signal.reason : error;
    }
    broken = true;
  }
  // Where the stream broke, how the command or the connection ended tells why.
  const exit = await endedSoon(remote);
  if (exit.code !== 0 || broken) throw sshFailure(session, exit.code, what, await said);
}

/** A line of the listing: a file, below `at` where it is not of the results' own folder. */
interface Line extends RemoteEntry {
  readonly at?: string;
}

interface Last {
  readonly end?: boolean;
  readonly skipped?: unknown;
  readonly hollow?: unknown;
  readonly written?: unknown;
  readonly run?: unknown;
}

/** Names that are only told: what is none is left out, nothing is written under them. */
function saneNames(names: readonly unknown[]): string[] {
  return names.filter((name): name is string => typeof name === "string" && isSafePath(name));
}

/**
 * Only what an entry has: further members must not come into the results' manifest. What the workload named as the stack
 * names its own gets another name.
 */
function entryAtHome(
  { at, path: listed, size, sha256, executable, link, folder, id, held }: Line,
  below: string | undefined,
  tops: Set<string>,
): RemoteEntry {
  if (typeof id !== "string" || !/^[0-9a-f]+$/.test(id)) {
    throw new Error("The instance sent a listing without ids; it is refused.");
  }
  if (typeof listed !== "string" || (at !== undefined && !(typeof at === "string" && isOwnName(topOf(at))))) {
    throw new Error("The instance sent a listing of files in places that were not asked for; it is refused.");
  }
  const entry = { size, sha256, executable: executable === true, id };
  const path = at === undefined && below !== undefined ? posix.join(below, listed) : listed;
  if (at === undefined) tops.add(topOf(path));
  const home = at === undefined ? pathAtHome(path) : path === "" ? at : `${at}/${path}`;
  if (link !== undefined) {
    if (typeof link !== "string") throw new Error("The instance sent a link that leads to no path; it is refused.");
    // Below a folder all names are as they were.
    const target = at === undefined && below === undefined ? linkAtHome(path, link) : link;
    return { ...entry, path: home, size: Buffer.byteLength(target), sha256: hashText(target), link: target };
  }
  return {
    ...entry,
    path: home,
    ...(folder === undefined ? {} : { folder }),
    ...(typeof held === "number" && held < size ? { held } : {}),
  };
}
