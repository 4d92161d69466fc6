import { setTimeout as sleep } from "node:timers/promises";
import { followOn, LogPlace } from "./follow";
import { hasEnded, RunError, readStatus, trainingFailed, withLogTail } from "./run";
import { isRetryable, SshSession, withSession } from "./session";
import { giveBack } from "./ssh/kept";
import type { RunStatus, SshAccess } from "./types";

const keepaliveSeconds = 5;

/** How to wait for a run. */
export interface WatchOptions {
  /** What training logs meanwhile; waited for before more is read. */
  readonly onChunk?: (chunk: Buffer) => void | Promise<void>;
  /** Each status that is read meanwhile. */
  readonly onStatus?: (status: RunStatus) => void;
  /** A line for people when something other than the log is to be told. */
  readonly onProgress?: (line: string) => void;
  /** Seconds to wait. Default: without end. */
  readonly timeoutSeconds?: number;
  /** Seconds without any contact after which the wait is given up; the run itself is left alone. Default 1800. */
  readonly unreachableSeconds?: number;
  /** Whether the instance has ended. Asked while it cannot be reached: there is nothing to wait for then. */
  readonly isGone?: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

/**
 * Waits until training has logged its first step, or has ended. A lost connection is made again.
 * @throws RunError `failed` when training failed before it, `first-step` when it did not come in time (the run goes on),
 * `absent` when there is no run, `gone` when the instance has ended. SshError when it stays unreachable.
 */
export async function waitForFirstStep(
  access: SshAccess,
  run: { readonly experiment: string },
  options: WatchOptions & { readonly timeoutSeconds: number },
): Promise<RunStatus> {
  const { experiment } = run;
  const reached = (status: RunStatus): boolean => status.firstStepAt !== undefined || hasEnded(status.state);
  const status = await wait(access, experiment, reached, options);
  if (status.state === "failed" && status.firstStepAt === undefined) {
    throw await trainingFailed(access, experiment, status);
  }
  if (!reached(status)) {
    const message = `Training of ${experiment} logged no first step within ${options.timeoutSeconds} s. It keeps running. Check train.firstStepPattern against the log.`;
    throw new RunError(await withLogTail(access, message, status), { kind: "first-step", status });
  }
  return status;
}

/**
 * Waits until the run has ended, evaluation included, and gives its last status, whatever that is.
 * @throws RunError `absent` when there is no run, `gone` when the instance has ended. SshError when it stays unreachable.
 */
export async function waitForEnd(
  access: SshAccess,
  run: { readonly experiment: string },
  options: WatchOptions = {},
): Promise<RunStatus> {
  return wait(access, run.experiment, (status) => hasEnded(status.state), options);
}

async function wait(
  access: SshAccess,
  experiment: string,
  done: (status: RunStatus) => boolean,
  options: WatchOptions,
): Promise<RunStatus> {
  const { signal, timeoutSeconds = Number.POSITIVE_INFINITY, unreachableSeconds = 1800 } = options;
  const started = Date.now();
  let contact = Date.now();
  const log = options.onChunk === undefined ? undefined : new LogAlong(experiment, options.onChunk);
  let session: SshSession | undefined;
  let status: RunStatus | undefined;
  try {
    for (;;) {
      signal?.throwIfAborted();
      try {
        if (session === undefined) {
          session = await SshSession.connect(access, { signal, keepaliveSeconds });
          log?.goOn(session);
        }
        status = await readStatus(session, experiment);
        contact = Date.now();
        options.onStatus?.(status);
        if (status.state === "absent") {
          const message = `There is no run of ${experiment} on ${access.host}. Start it with \`pulumi up\`.`;
          throw new RunError(message, { kind: "absent", status });
        }
      } catch (error) {
        signal?.throwIfAborted();
        session?.close();
        session = undefined;
        if (!isRetryable(error) || Date.now() - contact > unreachableSeconds * 1000) throw error;
        if (await options.isGone?.()) {
          const then =
            status?.resumesFrom === undefined ? "start over" : "resume from the newest checkpoint that left it";
          const message =
            `The instance of ${experiment} is gone (${error.message}). It is no longer billed. Only the results downloaded ` +
            `before remain. Run \`up\` to launch another and ${then}, or \`npm run down\` to clean up.`;
          throw new RunError(message, { kind: "gone", status });
        }
        options.onProgress?.(`${error.message} The run is not affected. Trying again.`);
      }
      if (status !== undefined && (done(status) || Date.now() - started >= timeoutSeconds * 1000)) {
        // Its log is complete: what is still on the way belongs to the reader. The clock alone keeps no command from its end.
        if (hasEnded(status.state)) await Promise.race([log?.finish(access), sleep(5000, undefined, { ref: false })]);
        if (log === undefined && session !== undefined) {
          giveBack(session);
          session = undefined;
        }
        return status;
      }
      const elapsed = Date.now() - started;
      await sleep(elapsed < 3000 ? 100 : elapsed < 10_000 ? 500 : elapsed < 120_000 ? 2000 : 5000, undefined, {
        signal,
      });
    }
  } finally {
    log?.stop();
    session?.close();
    await log?.followed;
  }
}

/** A run's log, which comes along over the connections on which its status is asked for. */
class LogAlong {
  private readonly place = new LogPlace({ byte: 0 });
  private readonly stopping = new AbortController();
  /** Resolves when the log has ended, or the last connection was lost; never rejects. */
  followed: Promise<void> = Promise.resolve();
  /** All of it was read. */
  private isOver = false;

  constructor(
    private readonly experiment: string,
    private readonly onChunk: NonNullable<WatchOptions["onChunk"]>,
  ) {}

  /** Goes on over this connection, once the one before is done with. */
  goOn(session: SshSession): void {
    this.followed = this.followed.then(() => this.follow(session)).catch(() => {});
  }

  /** Waits for the log's end, over another connection where the last one was lost before. */
  async finish(access: SshAccess): Promise<void> {
    await this.followed;
    if (this.isOver) return;
    this.followed = withSession(access, (session) => this.follow(session)).catch(() => {});
    await this.followed;
  }

  stop(): void {
    this.stopping.abort();
  }

  private async follow(session: SshSession): Promise<void> {
    const { signal } = this.stopping;
    let isThere = true;
    void session.ended.then(() => {
      isThere = false;
    });
    while (isThere && !this.isOver) {
      try {
        this.isOver = await followOn(session, this.experiment, this.place, { onChunk: this.onChunk, signal });
      } catch {
        // Who asks for the status tells what is wrong.
      }
      if (!this.isOver) await sleep(500, undefined, { signal });
    }
  }
}
