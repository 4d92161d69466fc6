import { text } from "node:stream/consumers";
import { walkAll } from "../../local/folder/walk";
import { callAgent } from "../../remote/agent";
import { withSession } from "../../remote/session";
import { downloadTree } from "../../remote/transfer/download";
import { uploadArchive, uploadTree } from "../../remote/transfer/upload";
import type { SshAccess } from "../../remote/types";

/** What this process is asked for, as JSON on its standard input. */
export interface Asked {
  readonly way: "up" | "down" | "archive" | "extract" | "exec";
  readonly access: SshAccess;
  /** Here: a folder, a file or a command. The workspace there into which an archive is extracted. */
  readonly local: string;
  /** There. */
  readonly remote: string;
  readonly hashFolder: string;
  readonly sha256?: string;
}

/** What it answers. */
export interface Answer {
  /** Seconds of the transfer alone, the connection included. */
  readonly seconds: number;
  /** Most resident memory of this process so far, in MB. */
  readonly megabytes: number;
  /** Seconds from the start at which each phase was first told of. */
  readonly phases: readonly (readonly [phase: string, at: number])[];
}

/** A transfer of the product's own, in a process of its own, as a provider's is. */
async function main(): Promise<void> {
  const { way, access, local, remote, hashFolder, sha256 = "" } = JSON.parse(await text(process.stdin)) as Asked;
  const tree = way === "up" ? await walkAll(local, { hashFolder }) : undefined;
  const phases: [string, number][] = [];
  const started = performance.now();
  const onStatus = (phase: string): void => {
    if (phases.at(-1)?.[0] !== phase) phases.push([phase, (performance.now() - started) / 1000]);
  };
  if (tree !== undefined) {
    await uploadTree(access, { tree, remoteRoot: remote, name: remote.replaceAll("/", "-"), onStatus });
  } else if (way === "archive") {
    await uploadArchive(access, { localArchive: local, remotePath: remote, sha256, onStatus });
  } else if (way === "down") {
    await downloadTree(access, { remoteRoot: remote, localFinal: local, runEnded: true, hashFolder, onStatus });
  } else if (way === "extract") {
    const dataset = {
      workspace: local,
      target: "data",
      kind: "archive",
      path: remote,
      url: "",
      sha256: "",
      splits: [],
    };
    const call = { verb: "extract-now", document: dataset };
    await withSession(access, (session) => callAgent(session, call, "Extracting"));
  } else {
    const { code, stderr } = await withSession(access, (session) => session.exec(local));
    if (code !== 0) throw new Error(stderr);
  }
  const seconds = (performance.now() - started) / 1000;
  const answer: Answer = { seconds, megabytes: process.resourceUsage().maxRSS / 1000, phases };
  console.log(JSON.stringify(answer));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
