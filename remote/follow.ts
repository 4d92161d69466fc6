import { setTimeout as sleep } from "node:timers/promises";
import { ensureScripts } from "./bundle";
import { shellQuote } from "./quote";
import { SshError, SshSession } from "./session";
import type { SshAccess } from "./types";

/** How to follow a log. */
export interface FollowOptions {
  /** Bytes at the log's beginning that are known already. Default 0. */
  readonly fromByte?: number;
  /** What the log got, in order, each byte once; `offset`: where in the log the chunk begins. */
  readonly onChunk: (chunk: Buffer, offset: number) => void;
  /** A line for people when the connection is lost or there again. */
  readonly onProgress?: (line: string) => void;
  /** Ends the following without an error. */
  readonly signal?: AbortSignal;
}

const noLogYet = 44;
const longestPauseSeconds = 10;

/**
 * Follows an experiment's log until the attempt that is going on has ended (or only to the log's end, where none is).
 * A lost connection is made again as often as needed, and goes on at the byte where the last one ended.
 * @returns the number of bytes known, to go on from later.
 * @throws SshError for what time does not heal: another host key, a refused login.
 */
export async function followLog(access: SshAccess, experiment: string, options: FollowOptions): Promise<number> {
  const { signal, onChunk, onProgress } = options;
  let offset = options.fromByte ?? 0;
  let pause = 1;
  while (!stopped(signal)) {
    let session: SshSession | undefined;
    try {
      session = await SshSession.connect(access, { signal });
      const scripts = await ensureScripts(session, ["lib.sh", "follow.sh"]);
      const before = offset;
      const { code, stderr } = await session.exec(`bash ${scripts}/follow.sh ${shellQuote(experiment)} ${offset}`, {
        maxOutputBytes: 4096,
        signal,
        onStdout: (chunk) => {
          if (stopped(signal)) {
            return;
          }
          pause = 1;
          const at = offset;
          offset += chunk.length;
          onChunk(chunk, at);
        },
      });
      if (code === 0 && offset === before) {
        return offset;
      }
      if (code !== 0 && code !== noLogYet) {
        throw new Error(`The log of ${experiment} could not be read (status ${code}): ${stderr.trim()}`);
      }
      // Ended after it gave something: one more look for what was written between its last look and the end.
      pause = code === 0 ? 0 : 1;
    } catch (error) {
      if (stopped(signal)) {
        break;
      }
      if (!(error instanceof SshError) || !error.facts.retryable) {
        throw error;
      }
      onProgress?.(`${error.message} Trying again in ${pause} s.`);
    } finally {
      session?.close();
    }
    await sleep(pause * 1000, undefined, { signal }).catch(() => {});
    pause = Math.min(Math.max(1, pause) * 1.5, longestPauseSeconds);
  }
  return offset;
}

function stopped(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
