import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseResults, resultsFile } from "../../remote/transfer/results-file";
import { type Metrics, metricsOf } from "./series";

/** An experiment whose results are here. */
export interface HomeExperiment extends Metrics {
  /** `<stack>/<experiment>`. */
  readonly id: string;
  readonly stack: string;
  readonly name: string;
  /** When the results came home, milliseconds since the epoch. */
  readonly homeAt: number;
  readonly files: number;
  readonly bytes: number;
}

const mostExperiments = 60;
const mostFiles = 60;
const mostBytes = 2 * 1024 ** 2;

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
      const file = join(folder, resultsFile);
      const { files } = parseResults(readFileSync(file), file).manifest;
      const experiment = {
        id,
        stack,
        name,
        homeAt,
        files: files.length,
        bytes: files.reduce((sum, { size }) => sum + size, 0),
        ...metricsOf(
          metricFiles(
            folder,
            files.map(({ path }) => path),
          ),
        ),
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

/** Those of the files in a folder that may hold metrics, path → content. */
function metricFiles(folder: string, paths: readonly string[]): Record<string, string> {
  const found = paths
    .filter((path) => /\.(json|jsonl|csv)$/i.test(path))
    .flatMap((path) => {
      const info = statSync(join(folder, path), { throwIfNoEntry: false });
      return info?.isFile() && info.size <= mostBytes ? [{ path, writtenAt: info.mtimeMs }] : [];
    })
    .sort((a, b) => b.writtenAt - a.writtenAt)
    .slice(0, mostFiles);
  return Object.fromEntries(found.map(({ path }) => [path, readFileSync(join(folder, path), "utf8")]));
}

/** The folder that holds the results of all stacks, from that of one. */
export function resultsRoot(resultsFolder: string): string {
  return dirname(resultsFolder);
}
