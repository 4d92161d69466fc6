/**
 * Lets callers that ask the same before the request is sent share its answer. A shared answer is thus as fresh as one of
 * the caller's own: its request leaves after the caller has asked.
 */
export class SharedReads {
  private readonly unsent = new Map<string, Promise<unknown>>();

  /**
   * @param question Tells alike questions from others. Kept until the request is sent.
   * @param read Asks it. It calls `onSend` right before the request leaves.
   * @param signal Ends this caller's wait alone. @throws its reason
   */
  ask<T>(question: string, read: (onSend: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const known = this.unsent.get(question) as Promise<T> | undefined;
    const close = (): void => {
      if (this.unsent.get(question) === asked) this.unsent.delete(question);
    };
    const asked = known ?? read(close);
    if (known === undefined) {
      this.unsent.set(question, asked);
      // Where its turn fails, it was never sent.
      asked.catch(() => undefined).then(close);
    }
    return signal === undefined ? asked : unlessAborted(asked, signal);
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
