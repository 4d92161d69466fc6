/** An answer, or one that is on its way. */
interface Sent {
  /** When its request left, by the clock. */
  readonly at: number;
  readonly answer: Promise<unknown>;
}

export interface SharedReadOptions {
  /** Ends this caller's wait alone. */
  readonly signal?: AbortSignal;
  /** Milliseconds by which a request may have left before the caller asks. Default 0. */
  readonly withinMs?: number;
}

/**
 * Lets callers that ask the same share an answer. It is as fresh as one of the caller's own, whose request leaves after the
 * caller has asked, unless the caller takes an older one.
 */
export class SharedReads {
  private readonly unsent = new Map<string, Promise<unknown>>();
  /** Of callers that take older ones. */
  private readonly sent = new Map<string, Sent>();

  /** @param now The clock, in milliseconds. */
  constructor(private readonly now: () => number) {}

  /**
   * @param question Tells alike questions from others. Kept until the request is sent.
   * @param read Asks it. It calls `onSend` right before the request leaves.
   * @throws the reason of `signal`
   */
  ask<T>(question: string, read: (onSend: () => void) => Promise<T>, options: SharedReadOptions = {}): Promise<T> {
    const { signal, withinMs = 0 } = options;
    const known = (this.unsent.get(question) ?? this.sentWithin(question, withinMs)) as Promise<T> | undefined;
    const close = (): void => {
      if (this.unsent.get(question) === asked) this.unsent.delete(question);
    };
    const onSend = (): void => {
      close();
      if (withinMs > 0) this.keep(question, { at: this.now(), answer: asked });
    };
    const asked = known ?? read(onSend);
    if (known === undefined) {
      this.unsent.set(question, asked);
      // Where its turn fails, it was never sent.
      asked.catch(() => undefined).then(close);
    }
    return signal === undefined ? asked : unlessAborted(asked, signal);
  }

  /** This process changes something: no answer from before counts any more, however old a caller takes it. */
  forget(): void {
    this.sent.clear();
  }

  private sentWithin(question: string, ms: number): Promise<unknown> | undefined {
    const sent = this.sent.get(question);
    return sent !== undefined && this.now() - sent.at < ms ? sent.answer : undefined;
  }

  private keep(question: string, sent: Sent): void {
    this.sent.set(question, sent);
    // A failure is nobody's answer but theirs who wait for it.
    sent.answer.catch(() => {
      if (this.sent.get(question) === sent) this.sent.delete(question);
    });
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
