import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { keepJson, readJson } from "../../local/json";
import { takeLock } from "../../local/lock";

const entry = z.object({
  /** The cloud's time at which the launch was sent, in milliseconds. */
  sentAt: z.number(),
  /** Known once the launch was answered. */
  instanceId: z.string().min(1).optional(),
});

/** A launch that this machine sent. */
export type LaunchEntry = z.infer<typeof entry>;

/**
 * What this machine knows of launches under one unique name, for the next process in case this one, or the engine, is
 * killed before the state is saved. It holds no secret. Where the folder cannot be written it knows nothing, and the
 * list of instances alone tells.
 */
export class LaunchJournal {
  private readonly file: string;

  constructor(
    private readonly folder: string,
    key: string,
  ) {
    this.file = join(folder, `${createHash("sha256").update(key).digest("hex").slice(0, 16)}.json`);
  }

  /** The last launch, where there was one that is not settled. */
  read(): LaunchEntry | undefined {
    return entry.safeParse(readJson(this.file)).data;
  }

  write(launch: LaunchEntry): void {
    keepJson(this.file, launch);
  }

  clear(): void {
    rmSync(this.file, { force: true });
  }

  /**
   * Runs `run` while no other process of this machine does so under the same name: a provider that outlived its engine
   * may still be launching. `onWait` is called once where another holds the name. A holder that died is passed over
   * after 15 seconds. `run` is told how to ask whether it still holds the name.
   */
  async exclusively<T>(run: (held: () => boolean) => Promise<T>, onWait: () => void): Promise<T> {
    let held = true;
    const onLost = (): void => {
      held = false;
    };
    // Longer than any launch: its turn, an answer that never comes, the search for what it made.
    const signal = AbortSignal.timeout(600_000);
    const once = (tries: number): void => {
      if (tries === 0) onWait();
    };
    let release: (() => Promise<void>) | undefined;
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      release = await takeLock(this.file, { staleSeconds: 15, onWait: once, onLost, signal });
    } catch (cause) {
      // Where it cannot be written: see the class comment.
      if (signal.aborted) {
        throw new Error("Another process has been launching under this name for ten minutes: end it and run again.", {
          cause,
        });
      }
    }
    try {
      return await run(() => held);
    } finally {
      await release?.();
    }
  }
}
