import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lossesIn } from "../../cli/stack/losses";
import { mostRepairs, Repairs } from "../../cli/stack/repair";
import { forgetRepairs } from "../../cli/stack/repair-memory";
import type { Seen, SeenJob } from "../../cli/stack/seen";
import type { RunStatus } from "../../remote/types";

type Told = Partial<Pick<RunStatus, "state" | "stopReason">> | "gone";

/** A machine with its run, as a look has seen it. */
function job(at: number, told: Told, kind: "node" | "worker" | "alone", outcome: SeenJob["outcome"]): SeenJob {
  const machine = at === 0 ? "machine" : `machine-${at + 1}`;
  const run = { experiment: "exp", hash: "h", ...(kind === "node" && { node: { rank: at, machines: [] } }) };
  const known = {
    ...{ stack: "test", machine, name: `run-${at}`, run, progress: { done: {}, underWay: [] } },
    instance: { id: `i-${at}`, type: "t", region: "r", priceCents: 120, launchedAt: "2026-01-01T00:00:00.000Z" },
  };
  const status = told === "gone" ? undefined : { experiment: "exp", logPath: "", now: 0, state: "running", ...told };
  const seen = {
    job: known,
    status,
    gone: told === "gone",
    limits: [],
    strays: [],
    maintenance: [],
    outcome,
    lines: [],
  };
  return seen as unknown as SeenJob;
}

const jobs = (kind: "node" | "worker" | "alone", ...told: Told[]): SeenJob[] =>
  told.map((each, at) => job(at, each, kind, each === "gone" ? "ended" : "within"));
const lostIn = (all: readonly SeenJob[], terminatesItself = false): string[] =>
  lossesIn({ jobs: all }, terminatesItself).map((each) => each.job.machine);

describe("what a stack has lost", () => {
  it("is a machine that is gone before the end of its run", () => {
    expect(lostIn(jobs("alone", {}))).toEqual([]);
    expect(lostIn(jobs("alone", "gone"))).toEqual(["machine"]);
    expect(lostIn(jobs("worker", {}, "gone"))).toEqual(["machine-2"]);
  });

  it("is a training that was stopped since a machine didn't answer, also where each is there", () => {
    const stopped = { state: "stopped", stopReason: "node lost" } as const;
    expect(lostIn(jobs("node", stopped, "gone"))).toEqual(["machine", "machine-2"]);
    expect(lostIn(jobs("node", stopped, stopped))).toEqual(["machine", "machine-2"]);
    expect(lostIn(jobs("node", { state: "failed" }, "gone"))).toEqual(["machine-2"]);
  });

  it("is nothing after an end that was wanted", () => {
    const stopped = { state: "stopped", stopReason: "user" } as const;
    expect(lostIn(jobs("alone", stopped))).toEqual([]);
    expect(lostIn(jobs("node", stopped, "gone"))).toEqual([]);
    expect(lostIn(jobs("node", { state: "finished" }, "gone"))).toEqual([]);
    expect(lostIn(jobs("worker", { state: "finished" }, "gone"))).toEqual([]);
    expect(lostIn(jobs("worker", { state: "finished" }, {}, "gone"))).toEqual(["machine-3"]);
    expect(lostIn([job(0, {}, "worker", "limit"), job(1, "gone", "worker", "ended")])).toEqual([]);
  });

  it("is nothing that may have terminated itself, unless the others tell of a loss", () => {
    expect(lostIn(jobs("alone", "gone"), true)).toEqual([]);
    const stopped = { state: "stopped", stopReason: "node lost" } as const;
    expect(lostIn(jobs("node", stopped, "gone"), true)).toEqual(["machine", "machine-2"]);
  });
});

describe("repairs", () => {
  let folder: string;
  const up = vi.fn(async () => 0);
  const seen = (all: readonly SeenJob[], budgetDollars?: number, cost: number | null = null, of = "one"): Seen => {
    const machines = all.map(({ job: each }) => ({
      ...{ ...each, instance: { ...each.instance, budgetDollars } },
      claims: { names: [`lambda-train-test-${of}-${each.machine}`], instanceIds: [] },
    }));
    const now = Date.parse("2026-01-01T01:00:00.000Z");
    return { view: { stack: "test", machines, runs: [] }, jobs: all, cost, outcome: "ended", now } as unknown as Seen;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", folder);
    vi.spyOn(console, "log").mockReturnValue();
    vi.spyOn(console, "error").mockReturnValue();
    up.mockClear();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  it("end after some in a row, also where each is a process of its own, and begin anew when nothing is lost", async () => {
    const gone = seen(jobs("alone", "gone"));
    const once = (): Promise<boolean | undefined> => new Repairs("test", up).after(gone);
    for (let at = 0; at < mostRepairs; at++) expect(await once()).toBe(true);
    expect(await once()).toBeUndefined();
    expect(up).toHaveBeenCalledTimes(mostRepairs);
    await new Repairs("test", up).after(seen(jobs("alone", {})));
    expect(await once()).toBe(true);
  });

  it("count what lost instances have cost, once each, until the stack is gone", async () => {
    const once = (budget: number, cost: number): Promise<boolean | undefined> =>
      new Repairs("test", up).after(seen(jobs("worker", {}, "gone"), budget, cost));
    expect(await once(3, 1)).toBe(true);
    expect(await once(3, 1)).toBe(true);
    expect(await once(3, 2)).toBeUndefined();
    expect(up).toHaveBeenCalledTimes(2);
    forgetRepairs("test");
    writeFileSync(join(folder, "repairs-test.json"), "{");
    expect(await once(3, 1)).toBe(true);
  });

  it("count nothing of a stack that had the name before, and that `pulumi` itself ended", async () => {
    const once = (of: string): Promise<boolean | undefined> =>
      new Repairs("test", up).after(seen(jobs("alone", "gone"), 10, 1, of));
    for (let at = 0; at < mostRepairs; at++) expect(await once("one")).toBe(true);
    expect(await once("one")).toBeUndefined();
    expect(await once("another")).toBe(true);
  });
});
