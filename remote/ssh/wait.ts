import { setTimeout as sleep } from "node:timers/promises";
import { SshSession } from "../session";
import type { SshAccess } from "../types";
import { SshError, sshError } from "./error";
import { giveBack } from "./kept";

/** How long to wait for a login, and whom to tell. */
export interface WaitOptions {
  /** Seconds until giving up. */
  readonly timeoutSeconds: number;
  /** Called with what stands in the way, whenever that changes. */
  readonly onWait?: (reason: string) => void;
  readonly signal?: AbortSignal;
}

const firstPauseSeconds = 0.5;
const longestPauseSeconds = 5;

/**
 * Tries to log in until it works. Everything that a booting machine does (no route, refused, reset, silence, a key not
 * in place yet) is tried again; a wrong host key never is. Throws kind `timeout` that tells the last reason.
 */
export async function waitForSsh(access: SshAccess, options: WaitOptions): Promise<void> {
  const { signal, onWait } = options;
  const deadline = Date.now() + options.timeoutSeconds * 1000;
  let pause = firstPauseSeconds;
  let last = "";
  for (;;) {
    const left = (deadline - Date.now()) / 1000;
    try {
      const timeoutSeconds = Math.min(Math.max(left, 1), 15);
      const session = await SshSession.connect(access, { timeoutSeconds, signal });
      await session.exec("true", { timeoutSeconds }).catch((error: unknown) => {
        session.close();
        throw error;
      });
      giveBack(session);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof SshError) || !passesWhileBooting(error)) {
        throw error;
      }
      if (error.message !== last) {
        last = error.message;
        onWait?.(last);
      }
      if (Date.now() + pause * 1000 >= deadline) {
        const message = `No SSH login on ${access.host}:${access.port} within ${options.timeoutSeconds} s. Last reason: ${last}`;
        throw sshError(access, "timeout", message, { cause: error, retryable: false });
      }
    }
    await sleep(pause * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted());
    pause = Math.min(pause * 1.5, longestPauseSeconds);
  }
}

/** A refused login passes while an instance boots, unless the key could not even be read (no cause from the server). */
function passesWhileBooting(error: SshError): boolean {
  return error.facts.retryable || (error.facts.kind === "auth" && error.cause !== undefined);
}
