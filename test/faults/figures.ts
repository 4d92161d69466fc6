import { kinds, stages } from "./case";
import type { CaseFigures } from "./report";

/** The line of an output that holds a message, without what differs from run to run. */
export function brief(message: string | undefined, output: string): string {
  if (message === undefined) return "";
  const first = message.split("\n")[0] ?? "";
  const line = output.split("\n").find((each) => each.includes(first)) ?? first;
  const plain = line
    .replace(/^[\s*-]*(error: |warning: )?/, "")
    .replace(/\b[0-9a-f]{32}\b/g, "<id>")
    .replace(/\b(lambda-train-[a-z]+-)[0-9a-f]{8}\b/g, "$1<suffix>")
    .replace(/\b127(\.\d{1,3}){3}(:\d+)?/g, "<address>")
    .replace(/\/tmp\/[\w./-]+/g, "<folder>")
    .replace(/\b(process|pid) \d+/g, "$1 <number>")
    .trim();
  const at = Math.max(0, plain.indexOf(first.trim()) - 20);
  const part = plain.length <= 200 ? plain : `${at > 0 ? "…" : ""}${plain.slice(at, at + 200)}…`;
  return part.replace(/\s+/g, " ");
}

/** In the order of the stages, then of the kinds, then by name. */
export function inOrder<T extends Pick<CaseFigures, "kind" | "stage" | "fault">>(cases: readonly T[]): T[] {
  const rank = ({ kind, stage }: T): number => stages.indexOf(stage) * kinds.length + kinds.indexOf(kind);
  return [...cases].sort((a, b) => rank(a) - rank(b) || (a.fault < b.fault ? -1 : 1));
}

/** Rows of a table of counts, stages by kinds, with sums. */
export function counts(cases: readonly Pick<CaseFigures, "kind" | "stage">[]): (string | number)[][] {
  const count = (stage: string | undefined, kind: string | undefined): number =>
    cases.filter((one) => (stage ?? one.stage) === one.stage && (kind ?? one.kind) === one.kind).length;
  const row = (stage: string | undefined): (string | number)[] => [
    ...[stage ?? "all", ...kinds.map((kind) => count(stage, kind)), count(stage, undefined)],
  ];
  return [...stages.filter((stage) => count(stage, undefined) > 0), undefined].map(row);
}

/** A table in plain text. */
export function textTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
