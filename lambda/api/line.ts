/** One that waits for its turn. */
interface Waiter {
  /** What it creates, by name. */
  readonly name?: string;
  /** Ends the wait: without an error, its turn has come. */
  readonly end: (error?: unknown) => void;
}

/** Turns of other calls between two of creations, where both wait. */
const othersBetween = 2;

/**
 * Calls of this process that wait for their turn. Creations come by name: what one machine needs carries its unique name,
 * so that it can be launched while keys and rulesets of many others still wait. All other calls come in their order, and
 * more often: creations take too few turns to hold up a launch, and enough to be done in time for the next one.
 */
export class Line {
  private readonly waiting: Waiter[] = [];
  private nobody = new AbortController();
  private sinceCreation = othersBetween;

  /** Resolves when the turn has come. @throws the reason of `signal`, and the error that {@link next} is given */
  wait(name: string | undefined, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        if (this.isEmpty) this.nobody.abort();
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        name,
        end: (error) => {
          signal?.removeEventListener("abort", leave);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      if (this.isEmpty) this.nobody = new AbortController();
      this.waiting.push(waiter);
    });
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Aborted once all that wait have given up. */
  get abandoned(): AbortSignal {
    return this.nobody.signal;
  }

  /** Ends the wait of the next one, if one still waits: it begins, or fails with the error. */
  next(error?: unknown): void {
    const [creation] = this.waiting
      .filter(({ name }) => name !== undefined)
      .sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
    const other = this.waiting.find(({ name }) => name === undefined);
    const next = this.sinceCreation < othersBetween ? (other ?? creation) : (creation ?? other);
    if (next === undefined) return;
    this.sinceCreation = next === creation ? 0 : this.sinceCreation + 1;
    this.waiting.splice(this.waiting.indexOf(next), 1);
    next.end(error);
  }
}
