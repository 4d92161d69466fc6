import { numberOf } from "../numbers";
import type { FileBytes } from "./bytes";
import type { CurveCollector } from "./points";

const piece = 1 << 16;
const longestLine = 200;

/** Reads a metric of MLflow's `mlruns`: a file of lines `<milliseconds> <value> <step>`. */
export function readMlflowMetric(bytes: FileBytes, curves: CurveCollector, isDue: () => boolean, name: string): number {
  let at = 0;
  while (!isDue()) {
    const text = bytes.at(at, Math.min(piece, bytes.size - at))?.toString("latin1") ?? "";
    const lines = text.split("\n");
    // It has no end yet.
    const rest = lines.pop() ?? "";
    for (const line of lines) takeLine(line, curves, name);
    at += text.length - rest.length;
    if (rest.length >= longestLine) {
      curves.damaged += 1;
      return bytes.size;
    }
    if (lines.length === 0) break;
  }
  return at;
}

function takeLine(line: string, curves: CurveCollector, name: string): void {
  const [when = "", value = "", step = "0"] = line.trim().split(/\s+/);
  const y = numberOf(value);
  if (y !== undefined && /^-?\d+$/.test(when) && /^-?\d+$/.test(step)) {
    curves.add(name, Number(step), y, Number(when) / 1000);
  } else curves.damaged += 1;
}
