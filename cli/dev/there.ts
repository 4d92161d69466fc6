import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { callAgent } from "../../remote/agent";
import { type CommandPlace, commandIn, markVariable } from "../../remote/command";
import type { RemoteProcess, SshSession } from "../../remote/session";

/** A command that is started again and again on an instance. What of it outlives a connection is found by its mark. */
export class Restarted {
  private readonly mark = `${markVariable}=${randomBytes(8).toString("hex")}`;
  private running: RemoteProcess | undefined;

  /**
   * @param place Where it runs.
   * @param graceSeconds Between TERM and KILL.
   */
  constructor(
    private readonly words: readonly string[],
    private readonly place: CommandPlace,
    private readonly graceSeconds: number,
  ) {}

  /** Starts it. `ended` gives its exit status, or undefined where it was ended or the connection was lost. */
  async start(session: SshSession, secrets: string | undefined): Promise<{ ended: Promise<number | undefined> }> {
    const text = await commandIn(session, { ...this.place, secrets }, this.words);
    const running = await session.stream(`export ${this.mark}; ${text}`);
    this.running = running;
    running.stdin.end();
    copy(running.stdout, process.stdout);
    copy(running.stderr, process.stderr);
    const ended = running.exit.then(
      ({ code }) => (this.running === running ? code : undefined),
      () => undefined,
    );
    return { ended };
  }

  /** Ends what runs of it, also what an earlier connection has left: TERM, time for a checkpoint, KILL. */
  async stop(session: SshSession): Promise<void> {
    this.running = undefined;
    const grace = Math.ceil(this.graceSeconds);
    const call = { verb: "exec-stop", document: { mark: this.mark, grace } };
    await callAgent(session, call, "Ending the command", { timeoutSeconds: grace + 60 });
  }
}

function copy(from: Readable, to: Writable): void {
  from.pipe(to, { end: false });
}
