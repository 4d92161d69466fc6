import { realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LeftMetrics } from "../../../remote/metric-files";
import type { LoggedCurves } from "./points";
import { isLogged, readLogged } from "./read";

/** The newest ones; MLflow has one for each metric. */
const mostFiles = 200;
/** Milliseconds that all files of one experiment may take. */
const patience = 20_000;

/**
 * What the files of loggers among downloaded results tell.
 * @param paths All that is there, with / in them.
 */
export function loggedAtHome(
  folder: string,
  paths: readonly string[],
): { readonly files: ReadonlyMap<string, LoggedCurves>; readonly left: readonly LeftMetrics[] } {
  const files = new Map<string, LoggedCurves>();
  const left: LeftMetrics[] = [];
  const until = Date.now() + patience;
  for (const path of newest(folder, paths.filter(isLogged))) {
    try {
      const { curves, lack, bytes } = readLogged(path, join(folder, path), until);
      files.set(path, curves);
      if (lack !== undefined) left.push({ path, bytes, why: lack });
    } catch {
      // Being replaced just now.
    }
  }
  return { files, left };
}

/** Each file once: W&B has a link to its newest run. */
function newest(folder: string, paths: readonly string[]): string[] {
  const seen = new Set<string>();
  return paths
    .flatMap((path) => {
      const full = join(folder, path);
      const info = statSync(full, { throwIfNoEntry: false });
      if (info?.isFile() !== true) return [];
      const real = realpathSync(full);
      if (seen.has(real)) return [];
      seen.add(real);
      return [{ path, writtenAt: info.mtimeMs }];
    })
    .sort((a, b) => b.writtenAt - a.writtenAt || a.path.localeCompare(b.path))
    .slice(0, mostFiles)
    .map(({ path }) => path);
}
