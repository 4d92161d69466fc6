import { setImmediate as turnOfLoop } from "node:timers/promises";
import { expect, test } from "vitest";
import { atMost, inTurnBy } from "../../local/at-most";

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

test("works with the same key run one after another, and each is told for whom it waits", async () => {
  const run = inTurnBy();
  const said: string[] = [];
  const start = (key: string, name: string): Promise<void> => {
    const work = async (): Promise<void> => {
      said.push(`${name} begins`);
      await turnOfLoop();
      said.push(`${name} ends`);
      if (name === "one") throw new Error("failed");
    };
    return run(key, work, { name, onWait: (other) => said.push(`${name} waits for ${other}`) });
  };
  const all = await Promise.allSettled([
    start("a", "one"),
    start("a", "two"),
    start("b", "other"),
    start("a", "three"),
  ]);
  expect(all.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled", "fulfilled"]);
  expect(said.filter((line) => line.includes("waits"))).toEqual(["two waits for one", "three waits for two"]);
  const ofA = said.filter((line) => !line.startsWith("other") && !line.includes("waits"));
  expect(ofA).toEqual(["one begins", "one ends", "two begins", "two ends", "three begins", "three ends"]);
});
