import { LineFile } from "../../local/folder/lines";
import { byPath, type ManifestEntry } from "../../local/folder/manifest";

/** Where the content of an entry is: at its place, elsewhere here (or there is none), or not here as it was listed. */
export type Whereabouts = "placed" | "elsewhere" | "missing";

const marks: Readonly<Record<string, Whereabouts>> = { "+": "placed", "-": "elsewhere", "!": "missing" };
const markOf = { placed: "+", elsewhere: "-", missing: "!" } as const;

/** An entry that was listed. */
export interface Sorted {
  readonly entry: ManifestEntry;
  readonly where: Whereabouts;
  /** The entry as JSON. */
  readonly text: string;
}

/** How much of the list is sorted in memory. */
const mostEntries = 1 << 14;
const mostLength = 4 << 20;
/** How much of each run is read at a time. */
const readBytes = 1 << 16;

/** Entries that come in about any order, and are given by their paths: they lie on the disk, in runs that are sorted. */
export class SortedEntries {
  private waiting: { readonly path: string; readonly line: string }[] = [];
  private length = 0;
  private file: LineFile | undefined;
  /** Where each run begins. */
  private readonly runs: number[] = [];

  /** @param path Where the runs go. */
  constructor(private readonly path: string) {}

  add(entry: ManifestEntry, where: Whereabouts): void {
    const line = `${markOf[where]}${JSON.stringify(entry)}`;
    this.waiting.push({ path: entry.path, line });
    this.length += line.length;
    if (this.waiting.length >= mostEntries || this.length >= mostLength) this.writeRun();
  }

  /** All that was added, by path. */
  *sorted(): Generator<Sorted> {
    this.writeRun();
    const { file } = this;
    if (file === undefined) return;
    const runs = this.runs.map((begin, at) => sortedIn(file.lines(begin, this.runs[at + 1], readBytes)));
    // The next one of each run, in their order. Most runs begin behind the one before them.
    const heads = runs.flatMap((run) => headOf(run) ?? []).sort(byHead);
    for (let first = heads[0]; first !== undefined; first = heads[0]) {
      yield first.next;
      const moved = headOf(first.run);
      let at = 0;
      for (let after = heads[1]; moved !== undefined && after !== undefined && byHead(after, moved) < 0; ) {
        heads[at++] = after;
        after = heads[at + 1];
      }
      if (moved !== undefined) heads[at] = moved;
      else heads.shift();
    }
  }

  close(): void {
    this.file?.close();
  }

  private writeRun(): void {
    if (this.waiting.length === 0) return;
    this.file ??= new LineFile(this.path);
    this.runs.push(this.file.end);
    for (const { line } of this.waiting.sort(byPath)) this.file.add(line);
    this.waiting = [];
    this.length = 0;
  }
}

interface Head {
  readonly run: Generator<Sorted>;
  readonly next: Sorted;
}

function headOf(run: Generator<Sorted>): Head | undefined {
  const { value } = run.next();
  return value === undefined ? undefined : { run, next: value as Sorted };
}

function byHead(a: Head, b: Head): number {
  return byPath(a.next.entry, b.next.entry);
}

function* sortedIn(lines: Iterable<string>): Generator<Sorted> {
  for (const line of lines) {
    const text = line.slice(1);
    yield { entry: JSON.parse(text) as ManifestEntry, where: marks[line.charAt(0)] ?? "missing", text };
  }
}
