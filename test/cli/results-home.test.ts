import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resultsAtHome } from "../../cli/stack/results-home";
import { headLine } from "../../remote/transfer/results-file";
import { parseRunRecord, type RunRecord } from "../../remote/transfer/run-record";
import type { RunStatus } from "../../remote/types";
import { testPlan } from "../remote/plan";

/** Whether results that are here are those of the run that somebody asks about. */
describe("results at home", () => {
  let resultsFolder: string;
  const hash = "a".repeat(64);
  const stands = "b".repeat(64);
  const run = { ...testPlan().run, hash };
  const instance = { id: "i-1", type: "t", region: "r", priceCents: 1 };
  const status = (changes: Partial<RunStatus> = {}): RunStatus => ({
    state: "finished",
    experiment: "exp",
    logPath: "/log",
    now: 1,
    hash,
    stands,
    attempt: 1,
    exitCode: 0,
    evaluation: { state: "none" },
    ...changes,
  });

  beforeEach(() => {
    resultsFolder = mkdtempSync(join(tmpdir(), "lambda-train-home-"));
    mkdirSync(join(resultsFolder, "exp"));
    writeFileSync(join(resultsFolder, "exp/best.pt"), "x");
  });
  afterEach(() => rmSync(resultsFolder, { recursive: true }));

  const brought = (source: string, ran?: Partial<RunRecord>): void => {
    const told = ran && parseRunRecord({ experiment: "exp", attempt: 1, ...ran });
    const head = headLine({ createdAt: "2026-01-01T00:00:00Z", source, run: told });
    writeFileSync(join(resultsFolder, "exp/manifest.json"), `${head}\n]}\n`);
  };
  const found = (seen?: RunStatus) => resultsAtHome({ resultsFolder, run, instance }, seen);

  it("are this run's where instance, settings and code are", () => {
    brought(`i-1:exp@${hash.slice(0, 12)}.${stands.slice(0, 8)}`, { attempts: [{ number: 1, exitCode: 0 }] });
    expect(found(status())).toEqual({ folder: join(resultsFolder, "exp") });
    expect(found()).toEqual({ folder: join(resultsFolder, "exp") });
  });

  it.each([
    ["an earlier instance's", "i-0:exp@aaaaaaaaaaaa.bbbbbbbb"],
    ["those of other settings", "i-1:exp@cccccccccccc.bbbbbbbb"],
    ["those of other code", "i-1:exp@aaaaaaaaaaaa.cccccccc"],
  ])("are not this run's where they are %s", (_, source) => {
    brought(source);
    expect(found(status())).toBeNull();
  });

  it("are not this run's by its plan, where nobody could look", () => {
    brought("i-1:exp@cccccccccccc.bbbbbbbb");
    expect(found()).toBeNull();
  });

  const source = "i-1:exp@aaaaaaaaaaaa.bbbbbbbb";
  it.each([
    ["an earlier start", { attempt: 1, attempts: [{ number: 1, exitCode: 1 }] }, { attempt: 2 }, /of start 1.*start 2/],
    ["before its end", { attempt: 1, attempts: [{ number: 1 }] }, {}, /before training ended/],
    [
      "before its evaluation",
      { attempt: 1, attempts: [{ number: 1, exitCode: 0 }] },
      { evaluation: { state: "done" as const } },
      /before its evaluation/,
    ],
  ])("are said to lack something where they are of %s", (_, ran, seen, lacks) => {
    brought(source, ran);
    expect(found(status(seen))?.lacks).toMatch(lacks);
  });

  it("are taken as they are where an earlier release brought them", () => {
    brought(source);
    expect(found(status({ attempt: 2 }))).toEqual({ folder: join(resultsFolder, "exp") });
  });
});
