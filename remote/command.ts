import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { ensureAgent, wordsOf } from "./agent";
import { shellQuote } from "./quote";
import { isRetryable, type LocalTerminal, SshSession } from "./session";

/** Where a command runs, and with what set. */
export interface CommandPlace {
  /** Folder relative to the home folder; empty: there. */
  readonly folder: string;
  /** Experiment whose variables are set. Empty: none. */
  readonly experiment: string;
  /** Name of the secrets that were brought for this command. Default: those of the run, while it goes on. */
  readonly secrets?: string;
  /** The folder is, or lies in, a copy of a workspace: that workspace, and the copy. Relative to the home folder. */
  readonly copy?: { readonly of: string; readonly at: string };
}

/** Shell text that becomes the command, each word exactly as given, with the workload's environment. */
export async function commandIn(session: SshSession, place: CommandPlace, words: readonly string[]): Promise<string> {
  await ensureAgent(session);
  return `exec ${wordsOf({ verb: "exec", document: { ...place, words } })}`;
}

const base = `\${LAMBDA_TRAIN_BASE:-$HOME/.lambda-train}`;
const environment = `if [ -f "${base}/env.sh" ]; then . "${base}/env.sh"; fi`;

/** What a login shell reads, and then the workload's environment: what comes first may set PATH anew. */
const startFile = `if [ -r /etc/profile ]; then . /etc/profile; fi
for file in ~/.bash_profile ~/.bash_login ~/.profile; do if [ -r "$file" ]; then . "$file"; break; fi; done; unset file
${environment}`;

/**
 * Shell text for a login: a shell, or what one runs, with the workload's environment. By the variables an instance that
 * ends itself sees that somebody works on it: a shell counts by what it runs alone, and its own process number tells it
 * apart from that.
 */
export function loginText(words: readonly string[]): string {
  if (words.length > 0) {
    return `export LAMBDA_TRAIN_AT_WORK="${base}" PATH="$HOME/.local/bin:$PATH"; ${environment}; ${words.join(" ")}`;
  }
  const bash = `exec "$SHELL" --rcfile <(echo ${shellQuote(startFile)}) -i`;
  const inTerminal = `case "$SHELL" in */bash) if [ -t 0 ]; then eval ${shellQuote(bash)}; fi ;; esac`;
  return `export LAMBDA_TRAIN_SHELL=$$; ${inTerminal}; ${environment}; exec "$SHELL" -l`;
}

/** The standard streams of this process: `process` has this shape. */
export interface LocalStreams {
  readonly stdin: Readable & LocalTerminal["stdin"];
  readonly stdout: Writable & LocalTerminal["stdout"] & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

/** How to run a command here as if it ran there. */
export interface RunHereOptions {
  readonly streams: LocalStreams;
  /** Calls back for each signal that is to be handed on, and gives what ends that. */
  readonly onSignal?: (hand: (signal: "INT" | "TERM" | "HUP") => void) => () => void;
}

/** What the processes of a command have in their environment, by which they are found again. */
export const markVariable = "LAMBDA_TRAIN_EXEC";

/**
 * Runs shell text with the local standard streams, in a terminal where both ends are terminals. Gives its exit status.
 * @throws SshError; where the connection is lost meanwhile its message says what became of the command.
 */
export async function runHere(session: SshSession, text: string, options: RunHereOptions): Promise<number> {
  const { stdin, stdout } = options.streams;
  if (stdin.isTTY === true && stdout.isTTY === true) return (await session.attach(text, options.streams)).code;
  const mark = `${markVariable}=${randomBytes(8).toString("hex")}`;
  try {
    return await joined(session, `export ${mark}; ${text}`, mark, options);
  } catch (error) {
    if (isRetryable(error)) error.message += ` ${await whatBecameOf(session, mark)}`;
    throw error;
  }
}

async function joined(session: SshSession, text: string, mark: string, options: RunHereOptions): Promise<number> {
  const { stdin, stdout, stderr } = options.streams;
  const remote = await session.stream(text);
  const release = options.onSignal?.((signal) => {
    // As in a terminal: all processes of the command get it.
    void session.exec(`kill -s ${signal} ${pidsOf(mark)}`).catch(() => {});
  });
  try {
    // The command may end, or close its input, before all of it is sent.
    remote.stdin.on("error", () => {});
    stdin.pipe(remote.stdin);
    await Promise.all([copy(remote.stdout, stdout), copy(remote.stderr, stderr)]);
    return (await remote.exit).code;
  } finally {
    release?.();
    stdin.unpipe(remote.stdin);
    stdin.destroy();
  }
}

/** Copies to a stream that stays open, no faster than it takes. */
function copy(from: Readable, to: Writable): Promise<void> {
  return new Promise((resolve) => {
    from.on("end", resolve).on("close", resolve);
    from.pipe(to, { end: false });
  });
}

function pidsOf(mark: string): string {
  return `$(grep -lzxF -e ${shellQuote(mark)} /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3)`;
}

/** Looks once, on a connection of its own. */
async function whatBecameOf({ access }: SshSession, mark: string): Promise<string> {
  let session: SshSession | undefined;
  try {
    session = await SshSession.connect(access, { timeoutSeconds: 10 });
    const pids = (await session.run(`echo ${pidsOf(mark)}`, "looking for it", { timeoutSeconds: 10 })).trim();
    return pids === ""
      ? "The command has ended since; its exit status is not known."
      : `The command still runs on the instance (process ${pids}); its output has nowhere to go, so it may end when it writes.`;
  } catch {
    return "Whether the command still runs is not known.";
  } finally {
    session?.close();
  }
}
