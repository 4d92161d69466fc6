import type { ManifestEntry } from "../local/folder/manifest";
import { megabytes } from "../local/folder/progress";
import { plainText } from "./log-text";
import { type LeftOut, type Written, type WrittenGroup, writtenSchema } from "./types";

/** What an instance says of files that were written elsewhere. @throws Error unless it is sane */
export function parseWritten(value: unknown, origin: string): Written {
  const parsed = writtenSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(`The list of files that were written elsewhere, from ${origin}, is not one; it is refused.`);
}

const mostNamed = 6;

/** The run's own logs among its results: the workload did not write them. */
export const ownLogs: readonly string[] = ["run/train.log", "run/evaluate.log"];

/** Bytes from which on a file with a checkpoint's ending counts as one. */
const checkpointBytes = 1024 ** 2;

/** As `CHECKPOINT` in scripts/agent/results/rules.py. */
const checkpointName =
  /\.(pt|pth|ckpt|bin|safetensors|h5|hdf5|keras|pkl|joblib|onnx|npz|msgpack|pb|tflite|gguf|distcp)(\.tar)?$|\.data-\d+-of-\d+$/i;

/** Whether a file has the ending of weights. */
export function hasCheckpointName(path: string): boolean {
  return checkpointName.test(path);
}

/** Whether a file among results looks like weights that somebody would miss. */
export function isCheckpoint({ path, size }: Pick<ManifestEntry, "path" | "size">): boolean {
  return size >= checkpointBytes && checkpointName.test(path);
}

/** What training wrote outside of its outputs and comes home, in words; undefined where there is nothing. */
export function foundText(written: Written | undefined): string | undefined {
  if (written === undefined || written.found.length === 0) return undefined;
  return listed(written.found, groupText, written.whole);
}

/** What was written since training started and does not come home, and why; undefined where there is nothing. */
export function leftText(written: Written | undefined): string | undefined {
  if (written === undefined || written.left.length === 0) return undefined;
  return listed(written.left, leftOutText, written.whole);
}

/** The left out file that looks most like a checkpoint, or undefined. */
export function leftCheckpoint(written: Written | undefined): LeftOut["checkpoint"] {
  return written?.left
    .map(({ checkpoint }) => checkpoint)
    .filter((checkpoint) => checkpoint !== undefined)
    .map(({ path, bytes }) => ({ path: plainText(path), bytes }))
    .sort((a, b) => b.bytes - a.bytes)[0];
}

/** Lines for people about what a run that has ended wrote outside of its outputs. */
export function elsewhereLines(written: Written | undefined): string[] {
  const found = foundText(written);
  const left = leftText(written);
  return [
    ...(found === undefined ? [] : [`Written outside of the outputs folder; downloads go to beside/: ${found}`]),
    ...(left === undefined ? [] : [`${leftIntroduction}: ${left}`]),
  ];
}

/** What is said before {@link leftText}. */
export const leftIntroduction = "Written since training started, but not downloaded (list it in results.include)";

function listed<T extends WrittenGroup>(groups: readonly T[], text: (group: T) => string, whole: boolean): string {
  const rest = groups.slice(mostNamed);
  const more = rest.reduce((sum, { files, bytes }) => ({ files: sum.files + files, bytes: sum.bytes + bytes }), {
    files: 0,
    bytes: 0,
  });
  return [
    ...groups.slice(0, mostNamed).map(text),
    ...(rest.length === 0 ? [] : [groupText({ path: `${rest.length} more`, ...more })]),
    ...(whole ? [] : ["perhaps more: the search was cut short"]),
  ].join(", ");
}

function groupText({ path, files, bytes }: WrittenGroup): string {
  return `${plainText(path)} (${filesText(files, bytes)})`;
}

function leftOutText({ path, files, bytes, why, checkpoint }: LeftOut): string {
  const weights =
    checkpoint === undefined
      ? ""
      : `; ${plainText(checkpoint.path)} of ${megabytes(checkpoint.bytes)} MB looks like a checkpoint`;
  return `${plainText(path)} (${filesText(files, bytes)}: ${plainText(why)}${weights})`;
}

/** `3 files, 1.2 MB`. */
export function filesText(files: number, bytes: number): string {
  return `${files} ${files === 1 ? "file" : "files"}, ${megabytes(bytes)} MB`;
}
