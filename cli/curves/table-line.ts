import type { Reading } from "./counts";
import { numberOf } from "./numbers";

/** Columns of the table that YOLO logs: a head for each epoch, and below it a row that is drawn over itself. */
export interface Table {
  readonly names: readonly string[];
}

const head = /^\s*epoch\s+gpu_mem\s+(.*loss.*)$/i;
const row = /^\s*(\d+)\/\d+\s+[\d.]+G\s+((?:(?:[\d.]+(?:e[-+]?\d+)?|nan|inf)\s+)+)/i;
const progress = /\|\s*(\d+)\/(\d+)\s*(?:\[|\d)/;
const otherColumns = /^(?:instances|size|labels|img_size)$/i;

/** The columns that a head names; undefined if the line is none. */
export function tableHead(text: string): Table | undefined {
  const names = head.exec(text)?.[1];
  return names === undefined ? undefined : { names: names.trim().toLowerCase().split(/\s+/) };
}

/** What a row tells, by the head before it; undefined if the line is none. */
export function tableRow(text: string, table: Table | undefined): Reading | undefined {
  const match = row.exec(text);
  if (match === null) return undefined;
  const [, epoch, cells = ""] = match;
  const numbers = cells.trim().split(/\s+/).map(numberOf);
  if (numbers.length < 2) return undefined;
  const batch = progress.exec(text);
  const values = new Map(
    (table?.names ?? []).flatMap((name, at): [string, number][] => {
      const value = numbers[at];
      return value === undefined || otherColumns.test(name) ? [] : [[name, value]];
    }),
  );
  return {
    epoch: Number(epoch),
    ...(batch === null ? {} : { batch: { at: Number(batch[1]), of: Number(batch[2]) } }),
    values,
  };
}
