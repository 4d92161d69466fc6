import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LeftMetrics } from "./metric-files";

/** Bytes of a file that is read whole, and of all files together. */
const longest = 64 << 20;
const mostTogether = 128 << 20;
const mostFiles = 100;

/** What was read of files at home, and what was not. */
export interface ReadAtHome<T> {
  /** Path → content. */
  readonly files: Readonly<Record<string, T>>;
  readonly left: readonly LeftMetrics[];
}

/**
 * Metrics among results that are at home: the JSON files in a folder that match a glob. What is not JSON is left out; NaN
 * and infinities, which Python writes, become null.
 */
export function metricsIn(folder: string, glob: string): ReadAtHome<unknown> {
  return readAtHome(folder, globSync(glob, { cwd: folder }).sort().slice(0, mostFiles), parsePython);
}

/** Reads files of a folder, as far as memory should hold them; the first ones first. What can't be read is left out. */
export function readAtHome<T>(folder: string, paths: readonly string[], read: (text: string) => T): ReadAtHome<T> {
  const files: Record<string, T> = {};
  const left: LeftMetrics[] = [];
  let together = 0;
  for (const path of paths) {
    try {
      const file = join(folder, path);
      const { size: bytes } = statSync(file);
      const why =
        bytes > longest
          ? `longer than ${longest >> 20} MiB`
          : together + bytes > mostTogether
            ? "other files were read first"
            : undefined;
      if (why !== undefined) {
        left.push({ path, bytes, why });
        continue;
      }
      together += bytes;
      files[path] = read(readFileSync(file, "utf8"));
    } catch {
      // A folder, or no JSON.
    }
  }
  return { files, left };
}

/**
 * Reads JSON as Python writes it.
 * @param special JSON for NaN and infinities.
 * @throws SyntaxError
 */
export function parsePython(text: string, special: (word: string) => string = () => "null"): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(
      text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (word) =>
        word.startsWith('"') ? word : special(word),
      ),
    );
  }
}

/** Names that tell how good a model is, whatever the workload calls them. */
const telling = /acc|error|loss|rate|score|f1|bleu|rouge|cer|wer|perplex|ppl|auc|iou|precision|recall|mae|mse|map/i;

/**
 * The few numbers of metrics that tell most: those named like a score before others, outer ones before inner ones.
 * Named as in their file, `inner.name` for inner ones, and with the file in front where two files have the same name.
 */
export function mainNumbers(metrics: Readonly<Record<string, unknown>>, most = 8): Record<string, number> {
  const all = Object.entries(metrics).flatMap(([file, content]) =>
    numbersIn(content).map(({ name, value, depth }) => ({ file, name, value, depth })),
  );
  const rank = ({ name, depth }: { name: string; depth: number }): number =>
    depth + (telling.test(name.split(".").at(-1) ?? "") ? 0 : 10);
  const chosen = all.toSorted((a, b) => rank(a) - rank(b)).slice(0, most);
  const named = chosen.map(({ file, name, value }) => {
    const twice = chosen.some((other) => other.name === name && other.file !== file);
    return [twice ? `${file}: ${name}` : name, value] as const;
  });
  return Object.fromEntries(named);
}

function numbersIn(content: unknown, prefix = "", depth = 0): { name: string; value: number; depth: number }[] {
  if (typeof content !== "object" || content === null || Array.isArray(content) || depth > 2) return [];
  return Object.entries(content).flatMap(([key, value]) => {
    const name = prefix + key;
    if (typeof value === "number" && Number.isFinite(value)) return [{ name, value, depth }];
    return numbersIn(value, `${name}.`, depth + 1);
  });
}
