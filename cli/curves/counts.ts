import { mayGoOn } from "./numbers";

/** How far a line says that training is. */
export interface Counts {
  /** Steps since the beginning of training. */
  readonly step?: number;
  /** As the line counts them. May have a fraction. */
  readonly epoch?: number;
  /** Steps or examples since the beginning of the epoch, and how many it has. */
  readonly batch?: { readonly at: number; readonly of?: number };
}

/** What a line of a log tells of training. */
export interface Reading extends Counts {
  /** By names in lower case; what was measured on other data than those of training begins with their name: `val_loss`. */
  readonly values: ReadonlyMap<string, number>;
}

const count = "(\\d+(?:,\\d{3})*(?:\\.\\d+)?)(?![\\w%]|\\.\\d)";
const named = new RegExp(
  "(?<![\\w.-])(?<!s/)(?<!sec/)(?<!time/)(?:(?:global|train|training|optimizer|opt|current|num)[_ ]?|mini-|_)?" +
    "(epoch|steps?|iters?|iterations?|updates?|batch)(?:\\(\\w+\\))?[\"']?\\]?[\\s:=\\[#(]{0,16}[\"']?" +
    `${count}(?:\\s*(?:/|of)\\s*(\\d+))?`,
  "gi",
);
/** Behind an epoch: `[ 10/5005]`, `[640/60000 (1%)]`, `100 / 1000`. */
const inEpoch = /^\]?[\s:]*\[?\s*(\d+)\s*\/\s*(\d+)/;
/** Counts that have no name. Which group is what: see `unnamed`. */
const heads =
  /\[\s*(\d+),\s*(\d+)\]\s*(?=loss)|\[(\d+)\/\d+\]\s*\[\s*(\d+)\/(\d+)\]|(?:^|\s)(\d+)\|(\d+)\|(?=loss)|(?:^|[\]:]\s?)\[(\d+)\]\s+(?=[\w/'-]+[=:])|\btrain:\s*(\d+)\s*\[\s*(\d+)\/(\d+)/i;
/** A progress bar of tqdm, with or without a known end, and one of Keras. */
export const bar = /\d%\|[^|]*\|\s*(\d+)\/(\d+)\s*\[|(?:^|\s)(\d+)it \[\d|^\s*(\d+)\/(\d+)\s+(?:━|\[[=>.])/;

/** The title of a bar, with the beginning of its percentage. */
const stepsTitle = /(?:^|[\s_])(?:steps?|iterations?)\W*\d*$/i;

/**
 * The counts in a line; undefined where it has none.
 * @param isOpen The line has no end yet: a number at its end may go on.
 */
export function countsIn(text: string, isOpen: boolean): Counts | undefined {
  let found: { step?: number; epoch?: number; batch?: Counts["batch"] } = { ...unnamed(text) };
  const bars = bar.exec(text);
  const steps: { name: string; at: number; of: number | undefined }[] = [];
  for (const match of text.matchAll(named)) {
    const [all, name = "", value = "", total] = match;
    if (isOpen && mayGoOn(text.slice(match.index + all.length))) continue;
    const at = Number(value.replaceAll(",", ""));
    const of = total === undefined ? undefined : Number(total);
    if (/^epoch/i.test(name)) {
      if (found.epoch !== undefined) continue;
      found.epoch = at;
      const rest = of === undefined ? inEpoch.exec(text.slice(match.index + all.length)) : null;
      if (rest !== null) found.batch = { at: Number(rest[1]), of: Number(rest[2]) };
    } else if (Number.isInteger(at)) {
      steps.push({ name: name.toLowerCase(), at, of });
    }
  }
  for (const { name, at, of } of steps) {
    // Of an epoch: what is called a batch, and what has an end beside an epoch that is told too.
    const isBatch = name === "batch" || (of !== undefined && found.epoch !== undefined);
    if (isBatch) found.batch ??= { at, of };
    else if (found.step === undefined) found.step = at;
  }
  if (bars !== null) {
    const [, at = bars[3] ?? bars[4], of = bars[5]] = bars;
    // A bar titled so counts all of training, as in the scripts of diffusers.
    if (stepsTitle.test(text.slice(0, bars.index)) && found.epoch === undefined) found.step ??= Number(at);
    else found.batch ??= { at: Number(at), of: of === undefined ? undefined : Number(of) };
  }
  if (found.epoch !== undefined && !Number.isInteger(found.epoch)) found = { step: found.step, epoch: found.epoch };
  return found.step === undefined && found.epoch === undefined && found.batch === undefined ? undefined : found;
}

/** Where the first count in a line is. */
export function firstCountAt(text: string): number | undefined {
  const found = [heads, bar, named].map((pattern) => text.search(pattern)).filter((at) => at >= 0);
  return found.length === 0 ? undefined : Math.min(...found);
}

function unnamed(text: string): Counts {
  const match = heads.exec(text);
  if (match === null) return {};
  const at = (group: number): number => Number(match[group]);
  if (match[1] !== undefined) return { epoch: at(1), batch: { at: at(2) } };
  if (match[3] !== undefined) return { epoch: at(3), batch: { at: at(4), of: at(5) } };
  if (match[6] !== undefined) return { epoch: at(6), step: at(7) };
  if (match[8] !== undefined) return { step: at(8) };
  return { epoch: at(9), batch: { at: at(10), of: at(11) } };
}
