import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ensureScripts } from "../bundle";
import { shellQuote } from "../quote";
import type { SshSession } from "../session";
import type { ManifestEntry, Written } from "../types";
import { parseWritten } from "../written";
import { byPath, checkManifest, isSafePath } from "./manifest";
import { resultsFile } from "./results-file";

/** A file on the instance. */
export interface RemoteEntry extends ManifestEntry {
  /** How to ask for it. */
  readonly id: string;
}

/** What was found. */
export interface Listing {
  readonly entries: readonly RemoteEntry[];
  /** Paths that could not be opened. */
  readonly skipped: readonly string[];
  /** Symbolic links without content: they lead nowhere, or to a folder that holds them. */
  readonly hollow: readonly string[];
  /** What training wrote elsewhere, where that was asked for. */
  readonly written?: Written;
}

/** Of which experiment to list also what it wrote outside of its outputs, and what is a result of it in spite of the rules. */
export interface WrittenBy {
  readonly experiment: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const sendScripts = [
  "transfer.py",
  "uploads.py",
  "rules.py",
  "elsewhere.py",
  "written.py",
  "remote-manifest.py",
] as const;

const mostFiles = 2_000_000;
const mostListingBytes = 1024 ** 3;

/** Lists a folder on the instance with checksums. What comes back is refused unless it is sane. */
export async function listRemote(
  session: SshSession,
  options: {
    readonly remoteRoot: string;
    readonly also?: Readonly<Record<string, string>>;
    readonly writtenBy?: WrittenBy;
    readonly signal?: AbortSignal;
  },
): Promise<Listing> {
  const folder = await ensureScripts(session, sendScripts);
  const places = ["", options.remoteRoot, ...Object.entries(options.also ?? {}).flat()].map(shellQuote).join(" ");
  const { experiment, ...keys } = options.writtenBy ?? {};
  const elsewhere =
    experiment === undefined ? "" : `--written ${shellQuote(experiment)} ${shellQuote(JSON.stringify(keys))} `;
  const what = `Listing ${options.remoteRoot}`;
  const packed: Buffer[] = [];
  await session.run(
    `set -o pipefail; python3 ${folder}/remote-manifest.py list ${elsewhere}${places} | gzip -1`,
    what,
    {
      signal: options.signal,
      maxOutputBytes: 4096,
      onStdout: (chunk) => packed.push(chunk),
    },
  );
  const text = await promisify(gunzip)(Buffer.concat(packed), { maxOutputLength: mostListingBytes });
  const lines = text.toString("utf8").split("\n");
  const origin = session.access.host;
  const last = JSON.parse(lines.at(-2) ?? "{}") as {
    end?: boolean;
    skipped?: unknown;
    hollow?: unknown;
    written?: unknown;
  };
  if (last.end !== true || !Array.isArray(last.skipped) || !Array.isArray(last.hollow)) {
    throw new Error(`${what} on ${origin} ended too early; run the command again.`);
  }
  if (lines.length + last.skipped.length + last.hollow.length > mostFiles) {
    throw new Error(
      `${options.remoteRoot} on ${origin} has over ${mostFiles.toLocaleString("en-US")} files; that is refused.`,
    );
  }
  const entries = lines.slice(0, -2).map((line) => pick(JSON.parse(line) as RemoteEntry));
  for (const [index, entry] of entries.entries()) {
    if (entry.path === resultsFile) {
      // The name is taken by the results' own record.
      entries[index] = { ...entry, path: "manifest.workload.json" };
    }
  }
  checkManifest({ files: entries }, origin);
  const written = experiment === undefined ? undefined : parseWritten(last.written, origin);
  return { entries: entries.sort(byPath), skipped: saneNames(last.skipped), hollow: saneNames(last.hollow), written };
}

/** Names that are only told: what is none is left out, nothing is written under them. */
function saneNames(names: readonly unknown[]): string[] {
  return names.filter((name): name is string => typeof name === "string" && isSafePath(name));
}

/** Only what an entry has: further members must not come into the results' manifest. */
function pick({ path, size, sha256, executable, link, id }: RemoteEntry): RemoteEntry {
  if (!/^[0-9a-f]+$/.test(id)) {
    throw new Error("The instance sent a listing without ids; it is refused.");
  }
  return { path, size, sha256, executable: executable === true, id, ...(link === undefined ? {} : { link }) };
}
