/** Runs `fn` over all items, at most `atOnce` at the same time, and gives the results in the items' order. */
export async function inParallel<T, R>(
  items: Iterable<T>,
  atOnce: number,
  fn: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = items[Symbol.iterator]();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let item = rest.next(); item.done !== true; item = rest.next()) {
      const index = next++;
      results[index] = await fn(item.value, index);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
  } finally {
    rest.return?.();
  }
  return results;
}

/** How many files are opened, hashed or linked at the same time: Node has four threads for that. */
export const filesAtOnce = 8;
