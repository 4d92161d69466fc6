import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** Status lines that may wait; beyond that the oldest is dropped, since each replaces the one before it anyway. */
const STATUS_LINES_WAITING = 256;

/** The engine's log, as a plugin sees it. A lost engine is no error: the output is a courtesy. */
export class EngineLog {
  private readonly client: EngineClient;
  private readonly waiting: LogRequest[] = [];
  private readonly whenIdle: (() => void)[] = [];
  private sending = false;

  /** @param address host:port of the engine, given to a plugin as its only argument */
  constructor(address: string) {
    this.client = new EngineClient(address, credentials.createInsecure());
  }

  /** Shows a line in the resource's row while the operation runs; nothing is kept of it. */
  status(urn: string, line: string): void {
    if (this.waiting.length >= STATUS_LINES_WAITING) this.waiting.shift();
    const request = new LogRequest();
    request.setSeverity(LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(line);
    request.setEphemeral(true);
    this.waiting.push(request);
    if (!this.sending) this.next();
  }

  /** Resolves when every line so far has reached the engine, so that none is shown after its operation's end. */
  async shown(): Promise<void> {
    if (this.sending) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  /** One after the other: calls under way together would arrive in any order. */
  private next(): void {
    const request = this.waiting.shift();
    this.sending = request !== undefined;
    if (request) this.client.log(request, () => this.next());
    else for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}
