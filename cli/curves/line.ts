import { plainText } from "../../remote/log-text";
import { bar, type Counts, countsIn, firstCountAt, type Reading } from "./counts";
import { isBeside, isDecoy, isTrainingTitle } from "./decoys";
import { isDrawn, isLoss, isMeasure, isOfEvaluation, isOfTraining, isTold, mayTell } from "./names";
import { mayGoOn, number, numberOf } from "./numbers";
import { type Table, tableHead, tableRow } from "./table-line";

/** Characters of a line that are looked at. */
export const longestLine = 4096;

/** What the agent notes in a log. */
const ours = "=== lambda-train: ";
const pair = new RegExp(
  "(?:\\b(train|training|val|valid|validation|dev|test|testing|eval|evaluation|d|g) )?(?<![\\w.-])([a-z_][\\w/.@-]{0,60})" +
    "([\"']?\\]?(?: \\([\\w ]{1,40}\\))?(?: (?:at|after|for|in) (?:global )?(?:step|epoch|iter(?:ation)?|batch) \\d+)?" +
    "(?:\\s*[:=]\\s*|\\s+(?:is\\s+)?))[\"'\\[]?(?:tensor\\(|array\\(|(?:np|jnp|numpy)\\.\\w+\\()?" +
    `(${number})`,
  "gi",
);
/** Says of what data the rest of the line is: `| valid |`, `Test: [`, `Epoch(val)`; or what it begins with. */
const scope =
  /\b(train|training|val|valid|validation|dev|test|testing|eval|evaluation)(?: set)?(?:\s*[:\]|)]|\s+\[)|^\W*(val|valid|validation|dev|test|testing|eval|evaluation)\b(?=\s+[a-z])/gi;
/** A loss with a fraction: what is whole may be a setting. */
const bare = /loss["']?\s*[:=]?\s*["'[]?(?:tensor\(|array\()?(?=[-+]?(?:[\d,]*\.\d|\d+e|nan|inf))/i;
const context = /^\W*(?:(?:starting|start|begin|beginning|training) )?epoch\W{0,3}(\d+)(?:\s*(?:\/|of)\s*\d+)?\W*$/i;
const plainPair = /^\s*["']?([a-z_][\w.\- ]{0,60}?)["']?\s*[:=]\s*\S+\s*,?$/i;

/**
 * Reads a log line by line. What a line tells may depend on those before: the head of a table, the epoch that a bar
 * belongs to, settings that look like values. `scripts/agent/run/first_step.py` finds the first such line on the instance.
 */
export class LineReader {
  private inSettings = false;
  private epoch: number | undefined;
  private table: Table | undefined;
  private readonly bare = new Set<string>();

  /** @param wanted Names besides those of measures that are looked for. */
  constructor(private readonly wanted: readonly string[] = []) {}

  /** @param isOpen The line has no end yet: a number at its end may go on. */
  read(line: string, isOpen = false): Reading | undefined {
    if (line.startsWith(ours)) return undefined;
    const text = plainText(line.slice(0, longestLine)).slice(0, longestLine);
    const reading = mayTell(text) || this.wanted.length > 0 ? this.readingOf(text, isOpen) : undefined;
    if (!isOpen) this.follow(text, reading);
    return reading;
  }

  private readingOf(text: string, isOpen: boolean): Reading | undefined {
    const found = pairsIn(text, isOpen);
    const told = found.filter(({ name }) => isMeasure(name) || this.wanted.includes(name));
    if (isDecoy(text, firstCountAt(text), told[0]?.at)) return undefined;
    const row = tableRow(text, this.table);
    if (row !== undefined) return row;
    const counts = countsIn(text, isOpen);
    if (told.length === 0) return this.readBar(text, counts);
    const trains = told.some(({ name, isOther }) => isOfTraining(name) || (isLoss(name) && !isOther));
    const isEvaluation = !trains && told.every(({ isOther }) => isOther);
    // On other data a batch is none of training.
    const place = this.placed(isEvaluation ? { ...counts, batch: undefined } : { ...counts });
    const values = new Map(found.map(({ name, value }) => [name, value]));
    if (counts !== undefined) return { ...place, values };
    return isEvaluation || (trains && this.isBare(text, isOpen)) ? { ...place, values } : undefined;
  }

  /** A bar without values tells how far training is. */
  private readBar(text: string, counts: Counts | undefined): Reading | undefined {
    const found = bar.exec(text);
    if (found?.[1] === undefined || Number(found[1]) === 0) return undefined;
    const before = text.slice(0, found.index + 1).replace(/\s*\d+$/, "");
    return isTrainingTitle(before) ? { ...this.placed(counts ?? {}), values: new Map() } : undefined;
  }

  private placed(counts: Counts): Counts {
    return counts.epoch === undefined && this.epoch !== undefined ? { ...counts, epoch: this.epoch } : counts;
  }

  /** Whether a loss without a count is a step's: settings look alike. */
  private isBare(text: string, isOpen: boolean): boolean {
    if (this.epoch !== undefined) return true;
    if (!bare.test(text)) return false;
    const name = plainPair.exec(text)?.[1]?.toLowerCase();
    if (name === undefined) return true;
    // Alone in its line it may be one of many settings, which have each name once.
    const isAgain = this.bare.has(name);
    if (!isOpen) this.bare.add(name);
    return !text.startsWith("  ") && (isAgain || !this.inSettings);
  }

  private follow(text: string, reading: Reading | undefined): void {
    if (text.trim() === "") return;
    this.table = tableHead(text) ?? this.table;
    const epoch = context.exec(text)?.[1];
    if (epoch !== undefined && !isDecoy(text, undefined)) this.epoch = Number(epoch);
    else if (reading?.epoch !== undefined && this.epoch !== undefined) this.epoch = Math.floor(reading.epoch);
    const name = plainPair.exec(text)?.[1];
    if (name === undefined) this.inSettings = false;
    else if (!isTold(name)) this.inSettings = true;
  }
}

interface Pair {
  readonly name: string;
  readonly value: number;
  readonly at: number;
  /** Of other data than those of training. */
  readonly isOther: boolean;
}

/** Names with numbers: all that `:` or `=` joins, and measures before a number. */
function pairsIn(text: string, isOpen: boolean): Pair[] {
  const scopes = [...text.matchAll(scope)].map((match) => ({
    end: match.index + match[0].length,
    of: (match[1] ?? match[2] ?? "").toLowerCase(),
  }));
  return [...text.matchAll(pair)].flatMap((match) => {
    const [all, before, word = "", joint = "", digits = ""] = match;
    const end = match.index + all.length;
    const value = numberOf(digits);
    if (value === undefined || (isOpen && mayGoOn(text.slice(end)))) return [];
    const own = [before, word]
      .filter((part) => part !== undefined)
      .join("_")
      .toLowerCase();
    if ((!/[:=]/.test(joint) && !isDrawn(own)) || isBeside(text.slice(0, match.index))) return [];
    const wordAt = match.index + (before === undefined ? 0 : before.length + 1);
    const of = scopes.findLast(({ end: scopeEnd }) => scopeEnd <= wordAt)?.of ?? "train";
    const isScoped = !isOfTraining(own) && !isOfEvaluation(own) && !of.startsWith("train");
    return [
      { name: isScoped ? `${of}_${own}` : own, value, at: match.index, isOther: isScoped || isOfEvaluation(own) },
    ];
  });
}
