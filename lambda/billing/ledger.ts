import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { lock } from "proper-lockfile";
import { parseJson } from "../../local/json";
import { ledgersFolder } from "../../local/paths";
import { type Bill, billSchema } from "./bill";

/** What a ledger holds, and what in it cannot be read. */
export interface Ledger {
  /** Absolute path. */
  readonly file: string;
  /** In the order in which the instances ended. */
  readonly bills: readonly Bill[];
  /** One line for each line of the file that is no bill. */
  readonly problems: readonly string[];
}

/** The ledger of a stack: `results/<stack>/ledger.jsonl`. @throws Error where the name could name another folder. */
export function ledgerFile(stack: string): string {
  if (!/^[A-Za-z0-9_.-]+$/.test(stack) || /^\.+$/.test(stack)) throw new Error(`"${stack}" is no name of a stack.`);
  return join(ledgersFolder(), stack, "ledger.jsonl");
}

/** Reads a stack's ledger; empty if there is none yet. Reports a broken line and counts the others. */
export function readLedger(stack: string): Ledger {
  return parseLedger(ledgerFile(stack));
}

/** The bill of an instance of a stack: what it came to. */
export function billOf(stack: string, instanceId: string): Bill | undefined {
  return readLedger(stack).bills.find((bill) => bill.instanceId === instanceId);
}

/** Names of the stacks that have a ledger here, sorted. */
export function stacksWithLedger(): string[] {
  const root = ledgersFolder();
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, "ledger.jsonl")))
    .sort();
}

/**
 * Adds a bill to its stack's ledger unless the instance has one there. One write under a lock, on the disk before this
 * returns. Gives the bill that the ledger holds.
 */
export async function addToLedger(bill: Bill): Promise<Bill> {
  const file = ledgerFile(bill.stack);
  mkdirSync(dirname(file), { recursive: true });
  const release = await lock(file, { realpath: false, stale: 10_000, retries: { retries: 60, maxTimeout: 1_000 } });
  try {
    const text = contentOf(file) ?? "";
    const known = parseLedger(file, text).bills.find(({ instanceId }) => instanceId === bill.instanceId);
    if (known !== undefined) return known;
    // What a killed process left of a line must not take this one with it.
    const line = `${text === "" || text.endsWith("\n") ? "" : "\n"}${JSON.stringify(bill)}\n`;
    const handle = openSync(file, "a");
    try {
      writeSync(handle, line);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    return bill;
  } finally {
    await release();
  }
}

/** Reads the text of a ledger. An instance counts once, even if its line is there twice. */
export function parseLedger(file: string, text = contentOf(file) ?? ""): Ledger {
  const bills = new Map<string, Bill>();
  const problems: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const parsed = billSchema.safeParse(parseJson(line));
    if (!parsed.success) problems.push(`${file}: line ${index + 1} is no bill and does not count: ${excerpt(line)}`);
    else if (!bills.has(parsed.data.instanceId)) bills.set(parsed.data.instanceId, parsed.data);
  }
  return { file, bills: [...bills.values()], problems };
}

function excerpt(line: string): string {
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}

/** undefined where there is no such file. */
function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
