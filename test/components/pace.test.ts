import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { paced } from "../../components/kit/pace";

/** Something that is registered, and answered when the test says so. */
class Made {
  answer: () => void = () => undefined;
  readonly urn = pulumi.output(new Promise<string>((resolve) => (this.answer = () => resolve("urn"))));
}

describe("components", () => {
  it("are made in their order, a few ahead of the engine's answers, whatever is answered first", async () => {
    const inTurn = paced();
    const made: Made[] = [];
    const make = (): Made => {
      const each = new Made();
      made.push(each);
      return each;
    };
    const all = Promise.all(Array.from({ length: 10 }, () => inTurn(make)));
    await sleep(20);
    expect(made).toHaveLength(4);
    made[2]?.answer();
    await expect.poll(() => made.length).toBe(5);
    await sleep(20);
    expect(made).toHaveLength(5);
    for (let at = 0; at < 10; at++) {
      made[at]?.answer();
      await expect.poll(() => made.length).toBeGreaterThan(Math.min(at + 1, 9));
    }
    expect(await all).toEqual(made);
  });

  it("that can't be made hold up no other", async () => {
    const inTurn = paced();
    const fail = (): Made => {
      throw new Error("bad");
    };
    for (let at = 0; at < 5; at++) await expect(inTurn(fail)).rejects.toThrow("bad");
    expect(await inTurn(() => new Made())).toBeInstanceOf(Made);
  });
});
