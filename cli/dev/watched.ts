import { type FSWatcher, watch } from "node:fs";
import { join, posix } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalTree } from "../../local/folder/walk";

/** An editor's save, or a branch that is checked out, is many changes at once. */
const settleMs = 80;

/**
 * Notices changes of code. Each folder that holds code is watched by itself: what git ignores, and what a dataset or outputs
 * hold, may be far more than the system can watch.
 */
export class WatchedCode {
  private readonly watchers = new Map<string, FSWatcher>();
  private changed = later();
  private lastAt = 0;

  constructor(private readonly root: string) {
    this.watchOne(".");
  }

  /** Watches the folders of a tree, and no others. */
  follow(tree: LocalTree): void {
    const folders = new Set(["."]);
    for (const { path, folder } of tree.entries()) {
      for (let at = folder === true ? path : posix.dirname(path); !folders.has(at); at = posix.dirname(at))
        folders.add(at);
    }
    for (const folder of folders) if (!this.watchers.has(folder)) this.watchOne(folder);
    for (const folder of this.watchers.keys()) if (!folders.has(folder)) this.forget(folder);
  }

  /** Resolves once something has changed since the last call, and nothing has for a moment. @throws the reason of `signal` */
  async next(signal: AbortSignal): Promise<void> {
    await Promise.race([this.changed.promise, aborted(signal)]);
    while (!signal.aborted && Date.now() - this.lastAt < settleMs) {
      await sleep(settleMs, undefined, { signal }).catch(() => {});
    }
    signal.throwIfAborted();
    this.changed = later();
  }

  close(): void {
    for (const folder of [...this.watchers.keys()]) this.forget(folder);
  }

  private watchOne(folder: string): void {
    const note = (): void => {
      this.lastAt = Date.now();
      this.changed.resolve();
    };
    try {
      const watcher = watch(join(this.root, folder), note);
      // It is gone: what it is in has noticed that.
      watcher.on("error", () => this.forget(folder));
      this.watchers.set(folder, watcher);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  private forget(folder: string): void {
    this.watchers.get(folder)?.close();
    this.watchers.delete(folder);
  }
}

/** Resolves when a signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A promise that something else resolves. */
function later(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
