import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../plan/experiment";
import { endText } from "../../plan/when-done";

describe("what ends the bill", () => {
  const base = { upDown: false, whenDone: false };
  const selfTermination = { afterSeconds: 3600, loseResults: false };

  it.each([
    ["down alone", base, /^Nothing ends it but `npm run down`\./],
    ["up --down", { ...base, upDown: true }, /^Ends when done: `up --down` waits/],
    [
      "an installed watch",
      { ...base, whenDone: true, watch: { every: 5, destroys: false } },
      /by `watch` \(installed, looks every 5 min\)/,
    ],
    [
      "one that destroys",
      { ...base, watch: { every: 7, destroys: true } },
      /^Ends when done: by `watch` \(installed, looks every 7 min\)\.$/,
    ],
    ["one that only reports", { ...base, watch: { every: 7, destroys: false } }, /^Nothing ends it/],
    ["no watch", { ...base, whenDone: true }, /^Nothing ends it when done.*npm run watch -- --install/],
    [
      "itself",
      { ...base, whenDone: true, selfTermination },
      /^Ends when done: by the instance itself, 60 min after its last work, once its results are safe\.$/,
    ],
    [
      "itself, in any case",
      { ...base, selfTermination: { ...selfTermination, loseResults: true } },
      /60 min after its last work\.$/,
    ],
    ["protected", { ...base, isProtected: true }, /^Nothing ends it: lambda-train:protect keeps the instances\./],
    [
      "protected, whatever else would",
      { ...base, whenDone: true, watch: { every: 5, destroys: true }, isProtected: true },
      /^Nothing ends it when done, although train\.whenDone is down: lambda-train:protect keeps the instances\./,
    ],
  ] as const)("is told: %s", (_, ends, text) => {
    expect(endText(ends)).toMatch(text);
  });
});

describe("train.whenDone", () => {
  const read = (train: string) => parseExperiment(`experiment: e\nworkload: {source: w}\ntrain: ${train}\n`, "e.yaml");

  it("is keep, unless it says down", () => {
    expect(read("{}").train.whenDone).toBe("keep");
    expect(read("{whenDone: down}").train.whenDone).toBe("down");
  });

  it("names what it may be", () => {
    expect(() => read("{whenDone: stop}")).toThrow(/train\.whenDone is "stop": must be keep or down/);
  });
});
