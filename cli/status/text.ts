import { plainText, safeText } from "../../remote/log-text";
import type { Progress } from "../curves/series";

/** A name, and what there is to say of it. */
export type Row = readonly [name: string, text: string];

/** How far training is: `step 400, epoch 2`. */
export function placeText({ axis, at, step, epoch }: Progress): string {
  if (step === undefined && epoch === undefined) return at === 1 ? "1 value" : `${at} values`;
  const other = axis === "step" && step !== undefined && epoch !== undefined ? `, epoch ${short(epoch)}` : "";
  return `${axis} ${short(at)}${other}`;
}

const short = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));

/** Numbers, each with its name. */
export function figures(values: Readonly<Record<string, number>>): string[] {
  return Object.entries(values).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
}

/** One line of at most so many columns; colours take none. */
export function cut(text: string, width: number): string {
  const plain = plainText(text);
  if (plain.length <= width) return safeText(text).replace(/[\r\n]+/g, " ");
  // A cut line loses its colours.
  return `${plain.slice(0, Math.max(1, width - 1))}…`;
}
