import { setTimeout as sleep } from "node:timers/promises";
import pc from "picocolors";
import { LocalReadError } from "../../local/folder/local-error";
import type { CodeTree } from "../../local/folder/walk";
import { codeNow, devCopy, syncCopy } from "../../remote/copies";
import { bringSecretsOnce } from "../../remote/secrets";
import { isRetryable, SshSession } from "../../remote/session";
import { sshError } from "../../remote/ssh/error";
import { sentText, type WithCode } from "../beside/code";
import type { Restarted } from "./there";
import { WatchedCode } from "./watched";

/** What to develop. */
export interface Development {
  readonly view: WithCode;
  /** What runs again after each change. Absent: code is brought alone. */
  readonly command?: Restarted;
  /** Values of secrets for each start, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const longestPauseSeconds = 10;

/**
 * Brings code to the instance at each save, and starts the command again, until the signal. A lost connection is made again;
 * then the command starts anew.
 */
export async function develop(development: Development): Promise<void> {
  const { view, command, signal } = development;
  const watched = new WatchedCode(view.code.source);
  let pause = 1;
  let mayGoOn = false;
  try {
    while (!signal.aborted) {
      let session: SshSession | undefined;
      try {
        session = await SshSession.connect(view.access, { signal, keepaliveSeconds: 5 });
        await command?.stop(session);
        pause = 1;
        mayGoOn = command !== undefined;
        await developBy(session, development, watched);
        await command?.stop(session);
        mayGoOn = false;
      } catch (error) {
        if (!signal.aborted && !isRetryable(error)) throw error;
        if (!signal.aborted) tell(`${(error as Error).message} Trying again in ${pause} s.`);
      } finally {
        session?.close();
      }
      await sleep(pause * 1000, undefined, { signal }).catch(() => {});
      pause = Math.min(pause * 2, longestPauseSeconds);
    }
  } finally {
    watched.close();
  }
  if (mayGoOn) tell("The instance can't be reached, so the command may go on there.");
}

/** The same by one connection, until the signal. @throws SshError when the connection is lost. */
async function developBy(session: SshSession, development: Development, watched: WatchedCode): Promise<void> {
  const { view, command, secrets, signal } = development;
  const { code, run, workspace } = view;
  const lost = session.ended.then((error) => {
    // The other side may close it in order.
    throw error ?? sshError(view.access, "lost", `The SSH connection to ${view.access.host} was closed.`);
  });
  lost.catch(() => {});
  const folder = devCopy(workspace);
  let there: string | undefined;
  while (!signal.aborted) {
    const tree = await readCode(view);
    if (tree !== undefined) watched.follow(tree);
    if (tree !== undefined && tree.hash !== there) {
      const isFirst = there === undefined;
      if (!isFirst) await command?.stop(session);
      const sent = await syncCopy(session, code, tree, { folder, outputs: run.outputs });
      there = tree.hash;
      tell(`${isFirst ? `~/${folder}: ` : ""}${sentText(sent)}`);
      if (command !== undefined) {
        const name = await bringSecretsOnce(session, secrets);
        const { ended } = await command.start(session, name);
        void ended.then((status) => {
          if (status !== undefined)
            tell(`The command ended with status ${status}. It starts again at the next change.`);
        });
      }
    }
    await Promise.race([watched.next(signal), lost]).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** The code as it is now; undefined where it can't be read, as in the middle of a change. */
async function readCode({ code }: WithCode): Promise<CodeTree | undefined> {
  try {
    return await codeNow(code);
  } catch (error) {
    if (!(error instanceof LocalReadError)) throw error;
    tell(`${error.message} Nothing was sent; the next change is.`);
    return undefined;
  }
}

function tell(text: string): void {
  console.error(pc.dim(`${new Date().toTimeString().slice(0, 8)} ${text}`));
}
