import { LineFile } from "../../local/folder/lines";
import { PathsCheck } from "../../local/folder/manifest";
import type { Objects } from "./objects";
import { type RecordHead, ResultsRecord, resultsFile } from "./results-file";
import type { Sorted, SortedEntries } from "./sorted-entries";

/** What is here of a listing. */
export interface Settled {
  /** Record of what is here, not yet in its place. */
  readonly record: ResultsRecord;
  /** Entries of it, as JSON, that still have to be put into their places. */
  readonly rest: LineFile;
  /** Files that changed while they were read: their content is not here. */
  readonly unstable: readonly string[];
}

/** Of names that are told. */
const mostUnstableLength = 64 << 20;

/**
 * Writes the record of all that was listed and is here. Refuses a list in which paths contradict each other: nothing but
 * files with checked content has been written until then.
 * @param origin names where the list comes from in errors
 */
export async function settle(
  entries: SortedEntries,
  objects: Objects,
  head: RecordHead,
  origin: string,
): Promise<Settled> {
  const rest = new LineFile(objects.listPath("rest"));
  const unstable: string[] = [];
  let unstableLength = 0;
  const paths = new PathsCheck(origin);
  function* here(): Generator<Sorted> {
    for (const each of entries.sorted()) {
      const { entry, where, text } = each;
      paths.add(entry.path);
      if (where === "placed" || (where === "elsewhere" && objects.has(entry))) {
        if (where === "elsewhere") rest.add(text);
        yield each;
        continue;
      }
      unstable.push(entry.path);
      unstableLength += entry.path.length;
      if (unstableLength > mostUnstableLength) {
        throw new Error(`Over ${unstable.length.toLocaleString("en-US")} files changed during the download.`);
      }
    }
  }
  try {
    return { record: await ResultsRecord.write(objects.listPath(resultsFile), head, here()), rest, unstable };
  } catch (error) {
    rest.close();
    throw error;
  }
}
