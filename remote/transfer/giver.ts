import { megabytes } from "../../local/folder/progress";
import { callAgent } from "../agent";
import type { SshSession } from "../session";
import type { TransferOptions } from "./retry";
import type { Talk } from "./talk";

/** What was uploaded to a machine: a folder by the name of its upload, an archive by its checksum alone. */
export interface Uploaded {
  readonly kind: "folder" | "archive";
  readonly name: string;
  readonly hash: string;
}

/** What came from another machine. */
interface Took {
  readonly files: number;
  /** Files that are damaged or missing there. */
  readonly wrong: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly from: string;
}

/** What an agent says of another machine before its answer. */
interface Aside {
  /** Bytes that have come from it. */
  readonly taken?: number;
  readonly of?: number;
  /** How that ended. */
  readonly took?: Took;
  /** Why no more comes from it. */
  readonly lost?: string;
}

/** What a machine hears of another one that may have an upload. */
export interface AtGiver {
  readonly has: boolean;
  /** Why it can't be asked. */
  readonly error?: string;
}

/** Asks a machine by way of another one whether it has an upload. */
export async function lookAtGiver(session: SshSession, giver: string, uploaded: Uploaded): Promise<AtGiver> {
  const call = { verb: "giver-look", document: { giver, uploaded } };
  return JSON.parse(await callAgent(session, call, `Asking ${giver}`, { timeoutSeconds: 60 })) as AtGiver;
}

/** The answer of a verb that may take things from another machine first. */
export async function hearPastGiver<T>(
  talk: Talk,
  what: string,
  { onStatus, onProgress }: TransferOptions,
): Promise<T> {
  for (;;) {
    const word = await talk.hear<T & Aside>(what);
    const { taken, of = 0, took, lost } = word;
    if (taken !== undefined) {
      onStatus?.("taking from another machine", `${megabytes(taken)} of ${megabytes(of)} MB`);
    } else if (took !== undefined || lost !== undefined) {
      if (took !== undefined) onProgress?.(tookText(took));
      if (lost !== undefined) onProgress?.(`${lost}: what is missing is sent from here`);
    } else {
      return word;
    }
  }
}

function tookText({ files, wrong, bytes, seconds, from }: Took): string {
  const rest = wrong === 0 ? "" : `; ${wrong} damaged or missing there, sent from here`;
  return `took ${files} files, ${megabytes(bytes)} MB from ${from} in ${seconds.toFixed(1)} s${rest}`;
}
