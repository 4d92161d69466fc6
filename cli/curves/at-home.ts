import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { resultsFile } from "../../remote/transfer/results-file";
import { type Course, courseOf } from "./course";
import { isOfExamples } from "./history";
import { LogCurves } from "./log-curves";
import { metricFile, metricsOf } from "./metric-files";
import { readChunks } from "./text-lines";

const mostFiles = 60;
/** Bytes of a file: a history may be long. */
const longestFile = 64 * 1024 ** 2;
const longestTogether = 128 * 1024 ** 2;

/**
 * What downloaded results tell of a training: their metric files, and the log.
 * @param wanted Names that are looked for in the log besides those that are always drawn.
 * @param mostOfLog Bytes: a longer log is not read.
 */
export function courseAtHome(
  folder: string,
  {
    wanted = [],
    mostOfLog = Number.POSITIVE_INFINITY,
  }: { readonly wanted?: readonly string[]; readonly mostOfLog?: number } = {},
): Course {
  const log = new LogCurves(wanted);
  const file = join(folder, "run", "train.log");
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) <= mostOfLog) {
    for (const chunk of readChunks(file)) log.push(chunk);
  }
  return courseOf(metricsOf(filesIn(folder)), log.look({ ended: true }));
}

/** The files among results that may hold metrics, the newest ones: path → content. */
function filesIn(folder: string): Record<string, string> {
  const found = globSync("**/*", { cwd: folder })
    .filter((path) => metricFile.test(path) && !isOfExamples(path) && path !== resultsFile && !path.startsWith("run/"))
    .flatMap((path) => {
      const info = statSync(join(folder, path), { throwIfNoEntry: false });
      return info?.isFile() && info.size <= longestFile ? [{ path, size: info.size, writtenAt: info.mtimeMs }] : [];
    })
    .sort((a, b) => b.writtenAt - a.writtenAt || a.path.localeCompare(b.path))
    .slice(0, mostFiles);
  let together = 0;
  const chosen = found.filter(({ size }) => {
    together += size;
    return together <= longestTogether;
  });
  return Object.fromEntries(chosen.map(({ path }) => [path, readFileSync(join(folder, path), "utf8")]));
}
