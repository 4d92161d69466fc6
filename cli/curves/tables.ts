import { parse as parseCsv } from "csv-parse/sync";
import { parsePython } from "../../remote/metrics-at-home";
import { isMeasure } from "./names";
import { numberOf } from "./numbers";

/** A row of a table: names with what was written there. Members of members are named `outer/inner`. */
export type Row = Readonly<Record<string, unknown>>;

const deepest = 3;

/**
 * The tables in a file's text: CSV, JSON lines, a list of records in JSON (the content itself or a member of it), or
 * lists of numbers of one length by name. None if it holds something else.
 */
export function tablesOf(path: string, text: string): Row[][] {
  if (/\.csv$/i.test(path)) return [csvRows(text)];
  const content = /\.jsonl$/i.test(path) ? undefined : json(text);
  // Some loggers name JSON lines .json.
  return content === undefined ? [jsonLines(text)] : tablesIn(content, isOfEvaluation(path));
}

/** Whether files of such a name hold results of an evaluation. */
export function isOfEvaluation(path: string): boolean {
  return /eval|(?<![a-z])test/i.test(path);
}

/** The content of a JSON file; undefined if it is none. NaN and infinities become words. */
export function json(text: string): unknown {
  try {
    return parsePython(text, (word) => JSON.stringify(word));
  } catch {
    return undefined;
  }
}

/** The last line may be half written. */
function jsonLines(text: string): Row[] {
  return text.split("\n").flatMap((line) => {
    const row = line.trim() === "" ? undefined : json(line);
    return isRecord(row) ? [flat(row)] : [];
  });
}

function csvRows(text: string): Row[] {
  const lines = csvLines(text);
  const names = (lines.shift() ?? []).map((name) => name.trim());
  // The last line may be half written: what its last cell says is not sure.
  if (!/[\r\n]$/.test(text)) lines.at(-1)?.pop();
  return lines.map((cells) =>
    Object.fromEntries(names.flatMap((name, at) => (cells[at]?.trim() ? [[name, cells[at]?.trim()]] : []))),
  );
}

function csvLines(text: string): string[][] {
  const head = text.slice(0, text.search(/[\r\n]|$/));
  const delimiter = ["\t", ";"].find((each) => head.includes(each)) ?? ",";
  const cells = (lines: string): string[][] =>
    parseCsv(lines, { bom: true, delimiter, relax_column_count: true, skip_empty_lines: true });
  try {
    return cells(text);
  } catch {
    try {
      // The last line may be half written, with a quote that doesn't end.
      return cells(text.slice(0, text.lastIndexOf("\n") + 1));
    } catch {
      // A quote amid a cell: no table of numbers.
      return [];
    }
  }
}

function tablesIn(content: unknown, isEvaluation: boolean): Row[][] {
  if (Array.isArray(content))
    return content.length > 0 && content.every(isRecord) ? [content.map((row) => flat(row))] : [];
  if (!isRecord(content)) return [];
  const members = Object.values(content);
  // An evaluation has lists too: one number for each class.
  const columns = isEvaluation ? [] : [content, ...members.filter(isRecord)].flatMap((each) => columnRows(each));
  return [...members.flatMap((member) => (Array.isArray(member) ? tablesIn(member, isEvaluation) : [])), ...columns];
}

/** Lists of numbers by name, as Keras keeps its history: a table of its columns. */
function columnRows(content: Row): Row[][] {
  const lists = Object.entries(content).filter((entry): entry is [string, unknown[]] => isNumbers(entry[1]));
  const length = lists[0]?.[1].length ?? 0;
  const names = lists.map(([name]) => name);
  if (!names.some(isMeasure) || lists.some(([, list]) => list.length !== length)) return [];
  const rows = Array.from({ length }, (_, at) => Object.fromEntries(lists.map(([name, list]) => [name, list[at]])));
  // Kept once an epoch, whatever counts.
  return [names.some((name) => /^epochs?$/i.test(name)) ? rows : rows.map((row, at) => ({ ...row, epoch: at + 1 }))];
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => numberIn(each) !== undefined);
}

function isRecord(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function flat(row: Row, prefix = "", depth = 1): Row {
  if (prefix === "" && !Object.values(row).some(isRecord)) return row;
  return Object.assign(
    {},
    ...Object.entries(row).map(([name, value]) =>
      isRecord(value) && depth < deepest ? flat(value, `${prefix}${name}/`, depth + 1) : { [prefix + name]: value },
    ),
  );
}

/** A cell's number, also where it was written as text; undefined for none. */
export function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && value !== "" ? numberOf(value) : undefined;
}
