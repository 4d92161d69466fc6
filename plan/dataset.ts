import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { runLocally } from "../local/command";
import { archiveName } from "./archive-name";
import { bucketPlace, isBucket } from "./bucket";
import type { Experiment } from "./experiment";
import { hubPlace } from "./hub";
import { PlanError, type Problem } from "./problems";
import type { DatasetSource } from "./types";

/** Unencrypted only where it never leaves the machine: on the emulated cloud's instances that is this machine. */
const loopbackUrl = /^http:\/\/127(\.\d{1,3}){3}(:\d+)?\//;

/**
 * Finds the dataset and checks its layout as far as this machine can see it. Runs `dataset.prepare` when the source
 * folder does not exist yet, or the command has not come to its end since it was begun: what it left may be a part.
 * @param root Folder to which a relative source refers.
 * @param workload Folder of the workload, in which `prepare` runs.
 * @param cache Folder in which is noted that `prepare` was begun.
 * @throws PlanError with every problem.
 */
export function findDataset(
  experiment: Experiment,
  root: string,
  workload: string,
  cache: string,
): DatasetSource | undefined {
  const { dataset } = experiment;
  if (dataset === undefined) return undefined;
  const { source, sha256 } = dataset;
  const wrong = (problem: Omit<Problem, "field" | "value"> & Partial<Problem>): PlanError =>
    new PlanError([{ field: "dataset.source", value: source, ...problem }]);
  if (source.startsWith("lambda-fs://")) {
    const path = source.slice("lambda-fs://".length);
    if (!/^[a-zA-Z][0-9a-zA-Z-]*(\/[^/\0]+)*$/.test(path) || path.split("/").includes("..")) {
      throw wrong({
        message: "must be lambda-fs://<file system>/<path>",
        next: "Name the file system as Lambda shows it",
      });
    }
    return { kind: "fileSystem", path: `/lambda/nfs/${path}` };
  }
  if (source.startsWith("https://") || loopbackUrl.test(source)) {
    if (!URL.canParse(source) || !archiveName.test(new URL(source).pathname)) {
      throw wrong({ message: "the URL must end in .tar, .tar.gz, .tgz, .tar.zst, .tar.xz, .tar.bz2 or .zip" });
    }
    return { kind: "url", url: source, sha256 };
  }
  const hub = hubPlace(source, experiment);
  if (hub !== undefined) return { kind: "hub", ...hub };
  if (isBucket(source)) return { kind: "bucket", ...bucketPlace(source, experiment), sha256 };
  if (source.includes("://"))
    throw wrong({
      message:
        "must be a folder, an archive, an https URL, a bucket (s3://…, r2://…, gs://…), hf://datasets/… or lambda-fs://…",
    });
  const path = resolve(root, source);
  if (dataset.prepare !== undefined) {
    const begun = join(cache, "prepare", createHash("sha256").update(path).digest("hex"));
    if (!existsSync(path) || existsSync(begun)) prepare(dataset.prepare, workload, source, begun);
  }
  if (!existsSync(path)) {
    throw wrong({
      message: `there is no such folder or file (looked at ${path})`,
      next: "Give its path, or dataset.prepare, a command that makes it",
    });
  }
  if (statSync(path).isFile()) {
    if (!archiveName.test(path))
      throw wrong({
        message: "a file must be an archive: .tar, .tar.gz, .tgz, .tar.zst, .tar.xz, .tar.bz2 or .zip",
        next: "Give the path of one, or of the folder that holds the splits",
      });
    return { kind: "archive", path };
  }
  const problems = dataset.splits.flatMap((split): Problem[] => {
    const folder = join(path, split);
    const fault = !existsSync(folder) ? "is missing" : readdirSync(folder).length === 0 ? "is empty" : undefined;
    if (fault === undefined) return [];
    return [
      {
        field: "dataset.splits",
        value: split,
        message: `the folder ${folder} ${fault}`,
        next: "Prepare it, or name the splits that exist (dataset.splits)",
      },
    ];
  });
  if (problems.length > 0) {
    const below = folderWith(path, dataset.splits);
    if (below === undefined) throw new PlanError(problems);
    const places = dataset.splits.map((split) => `${below}/${split}`).join(", ");
    throw wrong({
      message: `the folder has no ${dataset.splits.join(", ")}, but its folder ${below} has`,
      next: `Give that folder, or name ${places} in dataset.splits`,
    });
  }
  return { kind: "folder", path };
}

/** The one folder in a dataset that has all splits; undefined where none has, or several. */
function folderWith(path: string, splits: readonly string[]): string | undefined {
  const inside = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const right = inside.filter(({ name }) => splits.every((split) => existsSync(join(path, name, split))));
  return splits.length > 0 && right.length === 1 ? right[0]?.name : undefined;
}

function prepare(command: string, workload: string, source: string, begun: string): void {
  mkdirSync(dirname(begun), { recursive: true });
  writeFileSync(begun, "");
  const said = runLocally(command, workload);
  if (said === undefined) {
    rmSync(begun);
    return;
  }
  const message = `it failed, so ${source} wasn't made: ${said}`;
  const next = "Run it by hand in the workload and fix what it says. The next `up` runs it again in any case";
  throw new PlanError([{ field: "dataset.prepare", value: command, message, next }]);
}
