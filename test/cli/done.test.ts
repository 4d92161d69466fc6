import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { endsWhenDone, isDone } from "../../cli/stack/done";
import { forgetEndBegun, noteEndBegun } from "../../cli/stack/endings";
import type { SeenJob } from "../../cli/stack/seen";
import type { RunStatus } from "../../remote/types";

type Told = Pick<RunStatus, "state" | "stopReason" | "jobs">;

/** A machine with its run, as a look has seen it. undefined: it couldn't be reached. */
function seen(status: Told | undefined, whenDone: "down" | undefined = "down", gone = false): SeenJob {
  const job = { stack: "test", machine: "machine", run: { experiment: "e", whenDone }, resultsFolder: "/nowhere" };
  return { job, status, gone, strays: [] } as unknown as SeenJob;
}

describe("a run is done", () => {
  it.each([
    ["finished", undefined, true],
    ["failed", undefined, true],
    ["stopped", "budget", true],
    ["stopped", "node lost", true],
    ["stopped", "destroy", true],
    ["stopped", "user", false],
    ["stopped", "restart", false],
    ["evaluating", undefined, false],
    ["running", undefined, false],
    ["absent", undefined, false],
  ] as const)("%s %s: %s", (state, stopReason, done) => {
    expect(isDone({ state, stopReason })).toBe(done);
  });
});

describe("a stack ends by train.whenDone", () => {
  const finished = seen({ state: "finished" });

  it("when all of its runs are done", () => {
    expect(endsWhenDone({ jobs: [finished, seen({ state: "failed" })] })).toBe(true);
    expect(endsWhenDone({ jobs: [finished, seen({ state: "running" })] })).toBe(false);
    expect(endsWhenDone({ jobs: [] })).toBe(false);
  });

  it("not before the jobs beside them have ended", () => {
    const beside = (state: RunStatus["state"]) => seen({ state: "finished", jobs: [{ experiment: "job", state }] });
    expect(endsWhenDone({ jobs: [beside("running")] })).toBe(false);
    expect(endsWhenDone({ jobs: [beside("failed")] })).toBe(true);
  });

  it("never where it isn't asked for, or an instance can't be reached", () => {
    expect(endsWhenDone({ jobs: [{ ...finished, job: { ...finished.job, run: undefined } }] })).toBe(false);
    expect(endsWhenDone({ jobs: [finished, seen(undefined)] })).toBe(false);
    const kept = seen({ state: "finished" });
    const job = { ...kept.job, run: { ...kept.job.run, whenDone: undefined } } as SeenJob["job"];
    expect(endsWhenDone({ jobs: [{ ...kept, job }] })).toBe(false);
  });

  it("also where the last watch couldn't end it, and the state knows its instance alone", () => {
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", mkdtempSync(join(tmpdir(), "lambda-train-")));
    const half = [{ ...finished, status: undefined, job: { ...finished.job, run: undefined } }];
    expect(endsWhenDone({ jobs: half })).toBe(false);
    noteEndBegun("test");
    expect(endsWhenDone({ jobs: half })).toBe(true);
    expect(endsWhenDone({ jobs: [seen({ state: "running" })] })).toBe(false);
    forgetEndBegun("test");
    expect(endsWhenDone({ jobs: half })).toBe(false);
    rmSync(process.env.LAMBDA_TRAIN_LOCAL ?? "", { recursive: true });
    vi.unstubAllEnvs();
  });

  it("not where an instance is gone whose results aren't at home", () => {
    expect(endsWhenDone({ jobs: [finished, seen(undefined, "down", true)] })).toBe(false);
  });
});
