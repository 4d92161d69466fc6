import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { packageFolder } from "../local/paths";
import { type ExecOptions, type ExecResult, outputOf, type RemoteProcess, type SshSession } from "./session";
import { tarHeader, tarPadding } from "./transfer/tar";

/** What an agent is asked to do: a verb of `scripts/agent`, and the document that it takes. */
export interface AgentCall {
  readonly verb: string;
  readonly document: object;
}

/** A file of the agent, named as in its folder. */
interface AgentFile {
  readonly path: string;
  readonly content: Buffer;
}

let known: { readonly files: readonly AgentFile[]; readonly name: string } | undefined;

/** The agent that this release puts on instances. `name` tells its content. */
function agent(): NonNullable<typeof known> {
  if (known === undefined) {
    const folder = join(packageFolder(), "scripts/agent");
    const all = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const paths = all.filter((path) => /\.(py|mk)$/.test(path) && !path.startsWith("tests/")).sort();
    const files = paths.map((path) => ({ path, content: readFileSync(join(folder, path)) }));
    const hash = createHash("sha256");
    for (const { path, content } of files) hash.update(`${path}\0${content.length}\0`).update(content);
    known = { files, name: hash.digest("hex").slice(0, 16) };
  }
  return known;
}

/** Name of the agent that this release puts on instances: another one for any change of it. */
export function agentName(): string {
  return agent().name;
}

/** The agent's source: each word that it may answer with stands there. */
export function agentText(): string {
  return agent()
    .files.map(({ content }) => content.toString())
    .join("\n");
}

/** Shell words that call the agent, once it is there. Isolated: nothing of the user's Python has a part in it. */
function agentCommand(): string {
  return `python3 -IS "$HOME/.lambda-train/agent/${agentName()}"`;
}

/**
 * Shell text that calls the agent, which must be there; for `bash -s`. The document goes by standard input, so that it is
 * neither quoted nor in a process list.
 */
export function renderCall({ verb, document }: AgentCall): string {
  const end = "LAMBDA_TRAIN_DOCUMENT";
  return `exec ${agentCommand()} ${verb} <<'${end}'\n${JSON.stringify(document)}\n${end}\n`;
}

/** Shell words that call a verb whose standard input is somebody's own. */
export function wordsOf({ verb, document }: AgentCall): string {
  return `${agentCommand()} ${verb} ${Buffer.from(JSON.stringify(document)).toString("hex")}`;
}

const installed = new WeakMap<SshSession, Promise<boolean>>();

/**
 * Makes sure that the agent is on the instance. Costs a short command, and the agent's files only the first time.
 * @returns whether it was there
 */
export function ensureAgent(session: SshSession): Promise<boolean> {
  const known = installed.get(session);
  if (known !== undefined) return known;
  const installing = install(session);
  installed.set(session, installing);
  installing.catch(() => installed.delete(session));
  return installing;
}

async function install(session: SshSession): Promise<boolean> {
  const folder = `"$HOME/.lambda-train/agent/${agentName()}"`;
  if ((await session.exec(`test -d ${folder}`)).code === 0) return true;
  const { files } = agent();
  const parts = files.flatMap(({ path, content }) => [
    tarHeader(path, content.length),
    content,
    tarPadding(content.length),
  ]);
  // On a full disk room that is kept is given up: without the agent no results could be fetched. Whoever comes second
  // finds the agent there.
  const command = `set -e; umask 022; agent=${folder}; mkdir -p "$(dirname "$agent")"
probe="$agent.room"; for piece in "$HOME"/.lambda-train/reserve/*; do
if head -c 524288 /dev/zero >"$probe" 2>/dev/null; then break; fi; rm -f "$piece"; done
rm -f "$probe"; new="$(mktemp -d "$agent.XXXXXX")"; chmod 755 "$new"
tar -xzf - -C "$new" --no-same-owner
mv -T "$new" "$agent" 2>/dev/null || rm -rf "$new"`;
  const stdin = gzipSync(Buffer.concat([...parts, Buffer.alloc(1024)]));
  await session.run(command, "Putting the agent on the instance", { stdin, timeoutSeconds: 60 });
  return false;
}

/** How to call the agent. */
export interface CallOptions extends Omit<ExecOptions, "stdin"> {
  /** What the verb reads after its document. */
  readonly input?: Readable;
}

/** Calls the agent to the end of its verb. A status other than 0 is a result, not an error. */
export async function askAgent(session: SshSession, call: AgentCall, options: CallOptions = {}): Promise<ExecResult> {
  await ensureAgent(session);
  const { input, ...rest } = options;
  const document = documentLine(call);
  const stdin = input === undefined ? document : Readable.from(joined(document, input), { highWaterMark: 2 });
  return session.exec(`${agentCommand()} ${call.verb}`, { ...rest, stdin });
}

/** Calls a verb that must end with 0, and gives what it printed. @throws SshError kind `exit` with the end of its output */
export async function callAgent(
  session: SshSession,
  call: AgentCall,
  what: string,
  options: CallOptions = {},
): Promise<string> {
  return outputOf(session, what, await askAgent(session, call, options));
}

/** Starts a verb and gives its streams, its document sent. */
export async function startAgent(session: SshSession, call: AgentCall): Promise<RemoteProcess> {
  const running = await begin(session, `${agentCommand()} ${call.verb}`);
  // How the verb ends tells more than a stream that breaks.
  running.stdin.on("error", () => {});
  running.stdin.write(documentLine(call));
  return running;
}

/**
 * Starts a command of the agent. On a new connection that is done beside the look for the agent, whose round trips it spares:
 * without its document a verb does nothing.
 */
async function begin(session: SshSession, command: string): Promise<RemoteProcess> {
  if (installed.has(session)) {
    await ensureAgent(session);
    return session.stream(command);
  }
  const [wasThere, early] = await Promise.all([ensureAgent(session), session.stream(command)]);
  if (wasThere) return early;
  for (const output of [early.stdout, early.stderr]) output.resume();
  early.kill();
  return session.stream(command);
}

/** What a verb reads first. */
export function documentLine({ document }: Pick<AgentCall, "document">): string {
  return `${JSON.stringify(document)}\n`;
}

async function* joined(line: string, input: Readable): AsyncGenerator<Buffer | string> {
  yield line;
  yield* input;
}
