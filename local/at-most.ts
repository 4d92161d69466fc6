/** Gives what runs works so many at a time; the others wait, and go on in their order. */
export function atMost(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < most) running += 1;
    else await new Promise<void>((begin) => waiting.push(begin));
    try {
      return await work();
    } finally {
      // The next one takes over this one's place.
      const begin = waiting.shift();
      if (begin === undefined) running -= 1;
      else begin();
    }
  };
}

/** Who waits, and how it is told for whom. */
export interface Waiter {
  readonly name: string;
  readonly onWait: (name: string) => void;
}

/** Runs works with the same key one after another. */
export function inTurnBy(): (key: string, work: () => Promise<void>, waiter: Waiter) => Promise<void> {
  const last = new Map<string, { readonly name: string; readonly ended: Promise<void> }>();
  return async (key, work, { name, onWait }) => {
    const before = last.get(key);
    const done = (before?.ended ?? Promise.resolve()).then(work);
    const mine = { name, ended: done.catch(() => {}) };
    last.set(key, mine);
    if (before !== undefined) onWait(before.name);
    try {
      await done;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
