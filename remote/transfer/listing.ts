import { posix } from "node:path";
import { hashText } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import { checkEntry, emptySha256, isSafePath } from "../../local/folder/manifest";
import type { Written } from "../types";
import { parseWritten } from "../written";
import { foreign } from "./blocks";
import { isOwnName, linkAtHome, movedText, pathAtHome, topOf } from "./names";
import type { TransferOptions } from "./retry";
import { parseRunRecord, type RunRecord } from "./run-record";

/** An entry of the results whose checksum may become known only when its content has come: until then it is empty. */
export interface IncomingEntry extends ManifestEntry {
  sha256: string;
}

/** A file on the instance. */
export interface RemoteEntry {
  readonly entry: IncomingEntry;
  /** Of a large file: tells its content from that of other files, and from what it was before. */
  readonly key?: string;
  /** Bytes that it takes on a disk, where these are far fewer than its size. */
  readonly held?: number;
}

/** What the end of a listing tells. */
export interface ListingEnd {
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
/** Of a listing as it comes: most of it lies on the disk for a while. */
const mostListedBytes = 2 ** 31;

/** The listing of an instance, as it comes. What comes is refused unless it is sane. */
export class IncomingListing {
  /** Names at the top that are others at home. */
  private readonly moved = new Set<string>();
  private count = 0;
  private bytes = 0;

  constructor(
    private readonly options: ListingOptions,
    private readonly origin: string,
  ) {}

  /** Some entries, as a JSON array. */
  read(told: Buffer): RemoteEntry[] {
    const read = JSON.parse(told.toString("utf8")) as Told[];
    // What tells nothing could come for ever.
    if (!Array.isArray(read) || read.length === 0) throw foreign();
    this.count += read.length;
    this.bytes += told.length;
    if (this.count > mostFiles || this.bytes > mostListedBytes) {
      const most = `${mostFiles.toLocaleString("en-US")} files, or longer names than any program's`;
      throw new Error(`${this.options.remoteRoot} on ${this.origin} has over ${most}; that is refused.`);
    }
    return read.map((each) => {
      const remote = entryAtHome(each, this.options.below, this.moved);
      const { entry } = remote;
      checkEntry(entry.sha256 === "" ? { ...entry, sha256: emptySha256 } : entry, this.origin);
      return remote;
    });
  }

  /** What the instance has told at the end. */
  end(told: Buffer): ListingEnd {
    const { skipped, hollow, written, run } = JSON.parse(told.toString("utf8")) as End;
    if (!Array.isArray(skipped) || !Array.isArray(hollow)) throw this.early();
    return {
      skipped: saneNames(skipped),
      hollow: saneNames(hollow),
      moved: [...this.moved].sort().map(movedText),
      written: this.options.writtenBy && parseWritten(written, this.origin),
      run: parseRunRecord(run),
    };
  }

  early(): Error {
    return new Error(`Listing ${this.options.remoteRoot} on ${this.origin} ended too early. Run the command again.`);
  }
}

/** An entry of the listing: a file, below `at` where it is not of the results' own folder. */
interface Told extends Omit<ManifestEntry, "sha256">, Pick<RemoteEntry, "key" | "held"> {
  readonly at?: string;
  readonly sha256?: string;
}

interface End {
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
  { at, path: listed, size, sha256, executable, mtime, link, folder, key, held }: Told,
  below: string | undefined,
  moved: Set<string>,
): RemoteEntry {
  if (sha256 === "" || (sha256 === undefined && (typeof key !== "string" || !/^[0-9a-f]{32}$/.test(key)))) {
    throw new Error("The instance sent a listing without checksums; it is refused.");
  }
  if (typeof listed !== "string" || (at !== undefined && !(typeof at === "string" && isOwnName(topOf(at))))) {
    throw new Error("The instance sent a listing of files in places that were not asked for; it is refused.");
  }
  const path = at === undefined && below !== undefined ? posix.join(below, listed) : listed;
  const home = at === undefined ? pathAtHome(path) : path === "" ? at : `${at}/${path}`;
  if (at === undefined && home !== path) moved.add(topOf(path));
  const entry = { path: home, size, sha256: sha256 ?? "", executable: executable === true };
  if (link !== undefined) {
    if (typeof link !== "string") throw new Error("The instance sent a link that leads to no path; it is refused.");
    // Below a folder all names are as they were.
    const target = at === undefined && below === undefined ? linkAtHome(path, link) : link;
    return { entry: { ...entry, size: Buffer.byteLength(target), sha256: hashText(target), link: target } };
  }
  if (folder !== undefined) return { entry: { ...entry, folder } };
  return {
    entry: { ...entry, mtime },
    key: typeof key === "string" ? key : undefined,
    held: typeof held === "number" && held < size ? held : undefined,
  };
}
