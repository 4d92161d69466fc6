import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { endsWhenDone, isDone } from "../../cli/stack/done";
import { forgetEndBegun, noteEndBegun } from "../../cli/stack/endings";
import { lossesIn } from "../../cli/stack/losses";
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

  describe("that a watch couldn't end", () => {
    beforeEach(() => {
      vi.stubEnv("LAMBDA_TRAIN_LOCAL", mkdtempSync(join(tmpdir(), "lambda-train-")));
      noteEndBegun("test", ["one", "two"]);
    });
    afterEach(() => {
      rmSync(process.env.LAMBDA_TRAIN_LOCAL ?? "", { recursive: true });
      vi.unstubAllEnvs();
    });
    /** A machine of which the state knows the instance alone. */
    const half = (id: string | undefined, madeAt = Date.now() - 60_000): SeenJob => {
      const instance = id === undefined ? undefined : { id };
      const progress = { done: { "instance-vm": { first: madeAt, last: Date.now() + 60_000 } }, underWay: [] };
      return { ...finished, status: undefined, job: { stack: "test", instance, progress } } as unknown as SeenJob;
    };

    it("goes on where the state knows its instances alone, until somebody brings it up", () => {
      expect(endsWhenDone({ jobs: [half("one"), half("two")] })).toBe(true);
      expect(endsWhenDone({ jobs: [seen({ state: "running" })] })).toBe(false);
      forgetEndBegun("test");
      expect(endsWhenDone({ jobs: [half("one")] })).toBe(false);
    });

    it("says nothing of another instance, of one that an up went on with, or of one that the state doesn't know", () => {
      expect(endsWhenDone({ jobs: [half("one"), half("three")] })).toBe(false);
      expect(endsWhenDone({ jobs: [half("one", Date.now() + 60_000)] })).toBe(false);
      expect(endsWhenDone({ jobs: [half(undefined)] })).toBe(false);
    });

    it("is not obeyed by the note of an earlier release, which names no instance", () => {
      writeFileSync(join(process.env.LAMBDA_TRAIN_LOCAL ?? "", "endings-test.json"), '{"endings":[],"isBegun":true}');
      expect(endsWhenDone({ jobs: [half("one")] })).toBe(false);
    });
  });

  it("never while a machine is lost that `watch --repair` brings up again", () => {
    const gone = seen(undefined, "down", true);
    const lost = { ...gone, job: { ...gone.job, instance: { id: "i-gone" } } } as SeenJob;
    for (const other of [seen({ state: "running" }), seen({ state: "stopped", stopReason: "node lost" })]) {
      expect(lossesIn({ jobs: [other, lost] }, false)).toContain(lost);
      expect(endsWhenDone({ jobs: [other, lost] })).toBe(false);
    }
  });

  it("not where an instance is gone whose results aren't at home", () => {
    expect(endsWhenDone({ jobs: [finished, seen(undefined, "down", true)] })).toBe(false);
  });
});
