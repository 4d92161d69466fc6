import { posix } from "node:path";
import type { MadeConfig } from "../plan/types";
import { isJson } from "../plan/workload";
import { layOver, OverrideProblem } from "../plan/yaml/override";
import { YamlProblem } from "../plan/yaml/tree";
import { shellQuote } from "./quote";
import type { SshSession } from "./session";

/** Where a config that setup makes lies. */
export interface MadeConfigPlace {
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Folder in it in which commands run. */
  readonly directory: string;
  readonly config: MadeConfig;
}

/** A config larger than this is none. */
const mostBytes = 16 * 1024 ** 2;

/**
 * Lays overrides over a config that setup has made, and writes what training reads beside it. Does nothing without
 * overrides.
 * @throws Error that names the field, where the file can't be read or an override can't be laid over it.
 */
export async function layOverMade(session: SshSession, { workspace, directory, config }: MadeConfigPlace) {
  const { path, overrides } = config;
  if (overrides === undefined) return;
  const inWorkspace = (file: string): string => posix.join(workspace, directory, file);
  const read = `head -c ${mostBytes} -- ${shellQuote(inWorkspace(path))} | base64 -w0`;
  const encoded = await session.run(`set -o pipefail; ${read}`, `Reading ${path}, which setup makes`, {
    timeoutSeconds: 60,
    maxOutputBytes: 2 * mostBytes,
  });
  const content = Buffer.from(encoded, "base64");
  const text = content.toString("utf8");
  if (!Buffer.from(text).equals(content)) {
    throw new Error(`train.config: ${path}, as setup made it, isn't in UTF-8, and overrides need that.`);
  }
  const target = shellQuote(inWorkspace(overrides.target));
  const write = `mkdir -p -- "$(dirname -- ${target})" && cat >${target}.new && mv -f -- ${target}.new ${target}`;
  await session.run(write, `Writing ${overrides.target}`, {
    stdin: rendered(text, path, overrides.tree),
    timeoutSeconds: 60,
  });
}

function rendered(text: string, path: string, tree: Parameters<typeof layOver>[1]): string {
  try {
    return layOver(text, tree, isJson(path));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const next = error.next === undefined ? "" : ` ${error.next}.`;
    const field = error instanceof OverrideProblem ? `train.overrides.${error.path}` : "train.config";
    throw new Error(`${field}: ${path}, as setup made it, doesn't take the overrides: ${error.message}.${next}`, {
      cause: error,
    });
  }
}
