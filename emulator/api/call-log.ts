/** A call that came to the API. */
export interface LoggedCall {
  /** When it came: the emulator's milliseconds since the Unix epoch. */
  readonly at: number;
  readonly method: string;
  /** As the document has it: `/instances/{id}`. */
  readonly path: string;
  readonly status: number;
}

/** The oldest calls go first. */
const mostCalls = 20_000;

/** The calls of the API, in memory alone: by them a test sees how often something is asked. */
export class CallLog {
  private readonly calls: LoggedCall[] = [];

  add(call: LoggedCall): void {
    this.calls.push(call);
    if (this.calls.length > mostCalls) this.calls.splice(0, this.calls.length - mostCalls);
  }

  /** Those that came at or after a time, in the order in which they were answered. */
  since(time: number): LoggedCall[] {
    return this.calls.filter(({ at }) => at >= time);
  }
}
