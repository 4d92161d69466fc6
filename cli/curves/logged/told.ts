import { z } from "zod";
import { json } from "../tables";
import type { LoggedCurves } from "./points";

const longestName = 200;
const mostSeries = 200;
/** NaN and infinities came as words. */
const number = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number)]);

const schema = z.object({
  began: z.number().optional(),
  ended: z.number().optional(),
  purged: z.number().optional(),
  epoch: number.optional(),
  series: z
    .array(
      z
        .object({
          name: z
            .string()
            .min(1)
            .max(longestName)
            .regex(/^\P{C}*$/u),
          xs: z.array(z.number()),
          ys: z.array(number),
        })
        .refine(({ xs, ys }) => xs.length === ys.length && xs.every((x, at) => at === 0 || x > (xs[at - 1] ?? x))),
    )
    .max(mostSeries),
});

/** What an instance says of a file of a logger (scripts/agent/curves/told.py). Undefined where that is nothing of the kind. */
export function toldCurves(text: string): LoggedCurves | undefined {
  const parsed = schema.safeParse(json(text));
  if (!parsed.success) return undefined;
  const { series, ...facts } = parsed.data;
  return { ...facts, series: new Map(series.map(({ name, xs, ys }) => [name, { xs, ys }])) };
}
