import { credentials, Metadata } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** Status lines that may wait; beyond that the oldest is dropped, since each replaces the one before it anyway. */
const STATUS_LINES_WAITING = 256;

/** Longest that the engine is waited for: one that is busy, or gone, must not hold the work up. */
const ANSWER_MS = 5_000;

/** The engine's log, as a plugin sees it. A lost engine is no error: the output is a courtesy. */
export class EngineLog {
  private readonly client: EngineClient;
  private readonly waiting: LogRequest[] = [];
  private readonly whenIdle: (() => void)[] = [];
  private sending = false;

  /** @param address host:port of the engine, given to a plugin as its only argument */
  constructor(address: string) {
    // The engine is on this machine; a proxy is for what is elsewhere.
    this.client = new EngineClient(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  }

  /** Shows a line in the resource's row while the operation runs; nothing is kept of it. */
  status(urn: string, line: string): void {
    const passing = this.waiting.filter((request) => request.getEphemeral());
    const oldest = passing.length >= STATUS_LINES_WAITING ? passing[0] : undefined;
    if (oldest !== undefined) this.waiting.splice(this.waiting.indexOf(oldest), 1);
    this.send(urn, line, true);
  }

  /** Shows a line in the resource's row, and again among the diagnostics when the update has ended. */
  info(urn: string, line: string): void {
    this.send(urn, line, false);
  }

  /** Resolves when every line so far has reached the engine, so that none is shown after its operation's end. */
  async shown(): Promise<void> {
    if (this.sending) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private send(urn: string, line: string, ephemeral: boolean): void {
    const request = new LogRequest().setSeverity(LogSeverity.INFO).setUrn(urn).setMessage(line);
    this.waiting.push(request.setEphemeral(ephemeral));
    if (!this.sending) this.next();
  }

  /** One after the other: calls under way together would arrive in any order. */
  private next(): void {
    const request = this.waiting.shift();
    this.sending = request !== undefined;
    if (request) this.client.log(request, new Metadata(), { deadline: Date.now() + ANSWER_MS }, () => this.next());
    else for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}
