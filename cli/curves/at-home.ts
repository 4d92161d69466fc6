import { globSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { type ReadAtHome, readAtHome } from "../../remote/metrics-at-home";
import { resultsFile } from "../../remote/transfer/results-file";
import { type Course, courseOf } from "./course";
import { isOfExamples } from "./history";
import { LogCurves } from "./log-curves";
import { loggedAtHome } from "./logged/at-home";
import { isLongTable, someRows } from "./long-table";
import { metricFile, metricsOf } from "./metric-files";
import { readChunks } from "./text-lines";

const mostFiles = 60;

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
): Course & Pick<ReadAtHome<string>, "left"> {
  const log = new LogCurves(wanted);
  const file = join(folder, "run", "train.log");
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) <= mostOfLog) {
    for (const chunk of readChunks(file)) log.push(chunk);
  }
  const paths = globSync("**/*", { cwd: folder }).map((path) => path.replaceAll(sep, "/"));
  const { files, left } = filesIn(folder, paths);
  const logged = loggedAtHome(folder, paths);
  const course = courseOf(metricsOf(files, [], logged.files), log.look({ ended: true }));
  return { ...course, left: [...left, ...logged.left] };
}

/** The files among results that may hold metrics, the newest ones. */
function filesIn(folder: string, paths: readonly string[]): ReadAtHome<string> {
  const found = paths
    .filter((path) => metricFile.test(path) && !isOfExamples(path) && path !== resultsFile && !path.startsWith("run/"))
    .flatMap((path) => {
      const info = statSync(join(folder, path), { throwIfNoEntry: false });
      return info?.isFile() ? [{ path, writtenAt: info.mtimeMs, bytes: info.size }] : [];
    })
    .sort((a, b) => b.writtenAt - a.writtenAt || a.path.localeCompare(b.path))
    .slice(0, mostFiles);
  const long = new Set(found.filter(({ path, bytes }) => isLongTable(path, bytes)).map(({ path }) => path));
  const short = found.map(({ path }) => path).filter((path) => !long.has(path));
  const { files, left } = readAtHome(folder, short, (text) => text);
  return { files: { ...files, ...someRows(folder, long) }, left };
}
