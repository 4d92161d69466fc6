import { setImmediate as turnOfLoop } from "node:timers/promises";
import { expect, test } from "vitest";
import { atMost } from "../../local/at-most";

test("so many run at a time, in their order, whether they end well or not", async () => {
  const run = atMost(2);
  const begun: number[] = [];
  let running = 0;
  let mostRunning = 0;
  const work = async (n: number): Promise<number> => {
    begun.push(n);
    mostRunning = Math.max(mostRunning, ++running);
    await turnOfLoop();
    running -= 1;
    if (n % 2 === 1) throw new Error(`failed ${n}`);
    return n;
  };
  const all = [0, 1, 2, 3, 4, 5].map((n) => run(() => work(n)).catch((error: Error) => error.message));
  expect(await Promise.all(all)).toEqual([0, "failed 1", 2, "failed 3", 4, "failed 5"]);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  expect(mostRunning).toBe(2);
  expect(await run(() => work(6))).toBe(6);
});
