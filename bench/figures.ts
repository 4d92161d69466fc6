import { appendFileSync } from "node:fs";

/** What a figure should be: at most, or at least. */
export type Goal = { readonly atMost: number } | { readonly atLeast: number };

/** A figure of the benchmarks, beside its goal. */
export interface Figure {
  /** Part of the product that it is about. */
  readonly part: string;
  readonly what: string;
  readonly value: number;
  /** `×` for a ratio of two that were measured in one run. */
  readonly unit: "×" | "s" | "MB" | "/s";
  readonly goal: Goal;
  /** What the figure was made of. */
  readonly from: string;
}

/** Where `npm run bench` collects the figures of its parts: a JSON object a line. */
export const figuresVariable = "LAMBDA_TRAIN_BENCH_FIGURES";

export function isMet({ value, goal }: Figure): boolean {
  return "atMost" in goal ? value <= goal.atMost : value >= goal.atLeast;
}

/** A figure as a line for people. */
export function figureText(figure: Figure): string {
  const { what, value, unit, from } = figure;
  const text = `${shown(value)} ${unit}`.padStart(9);
  return `${isMet(figure) ? "met   " : "MISSED"} ${what.padEnd(58)} ${text}  goal ${goalText(figure)}  (${from})`;
}

export function goalText({ goal, unit }: Figure): string {
  return "atMost" in goal ? `≤ ${goal.atMost} ${unit}` : `≥ ${goal.atLeast} ${unit}`;
}

export function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** Prints a figure, and hands it to `npm run bench`. */
export function report(figure: Figure): void {
  console.log(figureText(figure));
  const path = process.env[figuresVariable];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(figure)}\n`);
}
