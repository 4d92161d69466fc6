import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { callAgent } from "./agent";
import { shellQuote } from "./quote";
import type { SshSession } from "./session";
import type { StudyCopy } from "./study";

/** Of a study's journal: a thousand trials take about a mebibyte. */
const longestJournal = 64 * 1024 ** 2;

/** What of a study is somewhere, and how to get it. */
export interface FoundCopy extends Pick<StudyCopy, "number" | "bytes" | "epoch"> {
  readonly read: () => Promise<Buffer>;
}

/** How much of a study is known: of the one that was moved last, the longest copy knows most. */
type Extent = Pick<StudyCopy, "number" | "bytes">;

/** Whether one copy knows more than another. */
export function knowsMore(one: Extent, other: Extent | undefined): boolean {
  return other === undefined || one.number > other.number || (one.number === other.number && one.bytes > other.bytes);
}

/** The copy that knows most. */
export function bestOf<T extends Extent>(copies: readonly T[]): T | undefined {
  return copies.reduce<T | undefined>((best, each) => (knowsMore(each, best) ? each : best), undefined);
}

/** Folder of a study on a machine, and below the results of its experiment at home. */
function folderOf(experiment: string): string {
  return `.lambda-train/study/${experiment}`;
}

/** The copy that came home with the results of a sweep; undefined where there is none. */
export function copyAtHome(directory: string, experiment: string): FoundCopy | undefined {
  const folder = join(directory, experiment, "study");
  const [journal, epoch] = [join(folder, "journal.log"), join(folder, "epoch")];
  if (!existsSync(journal) || !existsSync(epoch)) return undefined;
  const content = readFileSync(journal);
  const name = readFileSync(epoch, "utf8").trim();
  const number = Number.parseInt(name, 10);
  const bytes = content.lastIndexOf("\n") + 1;
  if (Number.isNaN(number) || bytes === 0) return undefined;
  return { epoch: name, number, bytes, read: async () => content.subarray(0, bytes) };
}

/** Reads a machine's copy. */
export async function readJournal(session: SshSession, experiment: string, { study }: StudyCopy): Promise<Buffer> {
  const path = `${folderOf(experiment)}/${study ? "journal.log" : "copy.log"}`;
  const options = { maxOutputBytes: longestJournal, timeoutSeconds: 300 };
  return Buffer.from(await session.run(`cat ${shellQuote(path)}`, "Reading a copy of the study", options));
}

/**
 * Makes what a machine knows of a study the study, or a copy that is brought there.
 * @param brought Taken where it knows more than the machine does.
 */
export async function adoptStudy(
  session: SshSession,
  experiment: string,
  brought?: { readonly epoch: string; readonly journal: Buffer },
): Promise<void> {
  const what = `Moving the study of ${experiment}`;
  const document = { experiment, ...(brought && { file: await put(session, experiment, brought.journal) }) };
  const call = { verb: "study-adopt", document: { ...document, ...(brought && { epoch: brought.epoch }) } };
  z.object({ adopted: z.boolean() }).parse(JSON.parse(await callAgent(session, call, what, { timeoutSeconds: 300 })));
}

async function put(session: SshSession, experiment: string, journal: Buffer): Promise<string> {
  const folder = shellQuote(folderOf(experiment));
  const command = `umask 077; mkdir -p ${folder} && cd ${folder} && cat >brought.log && pwd`;
  const folderThere = await session.run(command, "Bringing the study", { stdin: journal, timeoutSeconds: 300 });
  return `${folderThere.trim()}/brought.log`;
}
