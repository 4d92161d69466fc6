import { type Dirent, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LeftMetrics } from "../../remote/metric-files";
import { ResultsRecord, resultsFile } from "../../remote/transfer/results-file";
import { courseAtHome } from "../curves/at-home";
import type { Course } from "../curves/course";

/** An experiment whose results are here. */
export interface HomeExperiment extends Course {
  /** `<stack>/<experiment>`. */
  readonly id: string;
  readonly stack: string;
  readonly name: string;
  /** When the results came home, milliseconds since the epoch. */
  readonly homeAt: number;
  readonly files: number;
  readonly bytes: number;
  /** Files that may hold metrics and were not read. */
  readonly left: readonly LeftMetrics[];
}

const mostExperiments = 60;
/** Bytes of a log that the page waits for. */
const mostOfLog = 16 * 1024 ** 2;

/** Reads results once for each time that they came home. */
export class HomeExperiments {
  private readonly known = new Map<string, HomeExperiment>();

  /** @param folder The project's folder of results, which has one folder for each stack. */
  constructor(readonly folder: string) {}

  /** The experiments whose results are here, the newest first. */
  list(): HomeExperiment[] {
    const found = folders(this.folder).flatMap((stack) =>
      folders(join(this.folder, stack)).flatMap((name) => this.read(stack, name) ?? []),
    );
    return found.sort((a, b) => b.homeAt - a.homeAt).slice(0, mostExperiments);
  }

  private read(stack: string, name: string): HomeExperiment | undefined {
    const id = `${stack}/${name}`;
    const folder = join(this.folder, stack, name);
    try {
      const homeAt = statSync(join(folder, resultsFile)).mtimeMs;
      const before = this.known.get(id);
      if (before?.homeAt === homeAt) return before;
      const { count, bytes } = ResultsRecord.read(join(folder, resultsFile));
      const experiment = {
        id,
        stack,
        name,
        homeAt,
        files: count,
        bytes,
        ...courseAtHome(folder, { mostOfLog }),
      };
      this.known.set(id, experiment);
      return experiment;
    } catch {
      // Not results, or being replaced just now.
      return undefined;
    }
  }
}

function folders(folder: string): string[] {
  return entries(folder).flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith(".") ? [entry.name] : []));
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** The folder that holds the results of all stacks, from that of one. */
export function resultsRoot(resultsFolder: string): string {
  return dirname(resultsFolder);
}
