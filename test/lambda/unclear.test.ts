import { expect, test } from "vitest";
import { cloudClock } from "../../lambda/api/clock";
import type { Cloud } from "../../lambda/api/connect";
import { LambdaApiError } from "../../lambda/api/errors";
import { createdOrFound } from "../../lambda/life/unclear";

/** A cloud whose time is what was slept. */
function cloudAt(timeScale = 1): { cloud: Cloud; seconds: () => number } {
  let now = 0;
  const clock = {
    ...cloudClock(timeScale),
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  return { cloud: { clock } as unknown as Cloud, seconds: () => now / 1000 };
}

const failing = (kind: "unclear" | "duplicate" | "quota") => async (): Promise<string> => {
  throw new LambdaApiError("no", {
    operation: "add",
    kind,
    hint: "",
    retryable: false,
    mayHaveRun: kind === "unclear",
  });
};

test("a creation that comes through long after its answer was given up is found", async () => {
  const { cloud, seconds } = cloudAt();
  expect(await createdOrFound(cloud, failing("unclear"), async () => (seconds() < 40 ? undefined : "it"))).toBe("it");
  expect(seconds()).toBeLessThan(50);
});

test("one that never comes through fails with what is known, after a minute", async () => {
  const { cloud, seconds } = cloudAt();
  await expect(createdOrFound(cloud, failing("unclear"), async () => undefined)).rejects.toThrow("no");
  expect(seconds()).toBe(60);
});

test("a name that is taken is looked for once; of what failed otherwise nothing is looked for", async () => {
  const { cloud, seconds } = cloudAt(120);
  expect(await createdOrFound(cloud, failing("duplicate"), async () => "it")).toBe("it");
  await expect(createdOrFound(cloud, failing("duplicate"), async () => undefined)).rejects.toThrow("no");
  await expect(createdOrFound(cloud, failing("quota"), () => Promise.reject(new Error("looked")))).rejects.toThrow(
    "no",
  );
  expect(seconds()).toBe(0);
});
