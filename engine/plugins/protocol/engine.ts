import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** Status lines that may be under way at once; more are dropped, since each replaces the one before it anyway. */
const STATUS_LINES_UNDER_WAY = 256;

/** The engine's log, as a plugin sees it. A lost engine is no error: the output is a courtesy. */
export class EngineLog {
  private readonly client: EngineClient;
  private underWay = 0;

  /** @param address host:port of the engine, given to a plugin as its only argument */
  constructor(address: string) {
    this.client = new EngineClient(address, credentials.createInsecure());
  }

  /** Shows a line in the resource's row while the operation runs; nothing is kept of it. */
  status(urn: string, line: string): void {
    this.send(LogSeverity.INFO, urn, line, true);
  }

  /** Adds a message to the diagnostics of the resource. */
  message(severity: "warning" | "error", urn: string, text: string): void {
    this.send(severity === "error" ? LogSeverity.ERROR : LogSeverity.WARNING, urn, text, false);
  }

  /** Lets go of the connection. */
  close(): void {
    this.client.close();
  }

  private send(severity: LogSeverity, urn: string, text: string, ephemeral: boolean): void {
    const request = new LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(text);
    request.setEphemeral(ephemeral);
    if (ephemeral && this.underWay >= STATUS_LINES_UNDER_WAY) return;
    this.underWay += 1;
    this.client.log(request, () => {
      this.underWay -= 1;
    });
  }
}
