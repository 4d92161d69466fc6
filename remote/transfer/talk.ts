import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { LocalReadError } from "../../local/folder/local-error";
import type { AgentCall } from "../agent";
import { endedSoon, type RemoteProcess, type SshSession, sshFailure } from "../session";
import { startOnLanes } from "./lanes";

/** Most bytes of one word. */
const longest = 64 << 20;

/** A conversation with a verb of the agent: it says words, each a line of JSON, and reads what it is sent between them. */
export class Talk {
  private readonly words: AsyncGenerator<string>;
  private readonly complaint: Promise<string>;

  private constructor(
    private readonly session: SshSession,
    private readonly remote: RemoteProcess,
    private readonly signal: AbortSignal | undefined,
  ) {
    // Read at once, or the end of the channel would never come.
    this.words = wordsOf(remote.stdout.pipe(new PassThrough({ highWaterMark: longest })));
    this.complaint = text(remote.stderr).catch(() => "");
    signal?.addEventListener("abort", this.close);
  }

  /** @param bytes how much will be sent, about: on a long line as many connections carry it as pay */
  static async start(session: SshSession, call: AgentCall, bytes: number, signal?: AbortSignal): Promise<Talk> {
    signal?.throwIfAborted();
    return new Talk(session, await startOnLanes(session, call, { way: "up", bytes }), signal);
  }

  /** The next word. `what` is done for it, as an error names it. @throws SshError where the verb ends instead */
  async hear<T>(what: string): Promise<T> {
    const { value } = await this.words.next().catch((error: unknown) => {
      if (!(error instanceof RangeError)) return { value: undefined };
      this.close();
      throw error;
    });
    if (value === undefined) return this.failed(what, "it ended without an answer");
    return JSON.parse(value) as T;
  }

  /** Sends what the verb reads next; `last` also ends its input. */
  async send(source: AsyncIterable<Buffer>, what: string, { last = false } = {}): Promise<void> {
    try {
      const pieces = Readable.from(source, { objectMode: true, highWaterMark: 2 });
      await pipeline(pieces, this.remote.stdin, { signal: this.signal, end: last });
    } catch (error) {
      if (error instanceof LocalReadError) throw error;
      this.signal?.throwIfAborted();
      // A verb that has all that it needs does not wait for the end of its input.
      if (last && (await endedSoon(this.remote)).code === 0) return;
      await this.failed(what, String(error));
    }
  }

  /** Ends it in any case. */
  readonly close = (): void => {
    this.signal?.removeEventListener("abort", this.close);
    this.remote.kill();
  };

  /** How the verb or the connection ended tells more than a stream that broke. */
  private async failed(what: string, otherwise: string): Promise<never> {
    this.signal?.throwIfAborted();
    const { code } = await endedSoon(this.remote);
    this.signal?.throwIfAborted();
    throw sshFailure(this.session, code, what, (await this.complaint) || otherwise);
  }
}

async function* wordsOf(stream: Readable): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (let chunk of stream as AsyncIterable<Buffer>) {
    for (let end = chunk.indexOf("\n"); end !== -1; end = chunk.indexOf("\n")) {
      yield Buffer.concat([...parts, chunk.subarray(0, end)]).toString("utf8");
      [parts, bytes] = [[], 0];
      chunk = chunk.subarray(end + 1);
    }
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > longest) throw new RangeError(`More than ${longest} bytes came without the end of a line.`);
  }
}
