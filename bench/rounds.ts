/** Something that is timed beside others. */
export interface Contender {
  readonly name: string;
  /** Makes all as it was before; not timed. */
  readonly prepare?: () => unknown;
  /** Does the work. Gives the seconds that count where these are not all that pass. */
  readonly run: () => Promise<number | undefined>;
}

/**
 * Times contenders in turn, so that a drift of the machine's speed meets all alike.
 * @returns median seconds by name
 */
export async function medians(contenders: readonly Contender[], rounds: number): Promise<Map<string, number>> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    // Each is the first as often as the others.
    const order = contenders.map((_, at) => contenders[(at + round) % contenders.length] as Contender);
    for (const { name, prepare, run } of order) {
      await prepare?.();
      const took = await seconds(run);
      times.set(name, [...(times.get(name) ?? []), took]);
    }
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]));
}

/** Wall-clock seconds that something takes, or those that it says to count. */
export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const own = await run();
  return typeof own === "number" ? own : (performance.now() - started) / 1000;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
