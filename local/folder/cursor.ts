/** Looks up entries that come sorted by path, for paths that come in the same order. */
export class Cursor<T extends { readonly path: string }> {
  private readonly rest: Iterator<T>;
  private next: T | undefined;

  constructor(entries: Iterable<T>) {
    this.rest = entries[Symbol.iterator]();
    this.advance();
  }

  /** The entry of a path. Those before it are passed, and told. */
  find(path: string, onPassed?: (entry: T) => void): T | undefined {
    while (this.next !== undefined && this.next.path < path) {
      onPassed?.(this.next);
      this.advance();
    }
    return this.next?.path === path ? this.next : undefined;
  }

  /** The first entry that was not passed. */
  get ahead(): T | undefined {
    return this.next;
  }

  close(): void {
    this.rest.return?.();
  }

  private advance(): void {
    const { done, value } = this.rest.next();
    this.next = done === true ? undefined : value;
  }
}
