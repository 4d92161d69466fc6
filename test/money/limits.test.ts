import { describe, expect, it } from "vitest";
import { judge, type Limit, limitsOf } from "../../cli/stack/limits";
import { spentAt } from "../../lambda/billing/forecast";
import type { RunPlan } from "../../plan/types";
import type { RunStatus } from "../../remote/types";

const launchedAt = "2026-01-01T00:00:00.000Z";
const minute = (minutes: number): number => Date.parse(launchedAt) + minutes * 60_000;

const billed = [{ priceCents: 120, launchedAt }];
const run = { maxSeconds: 3600, idleSeconds: 600 } as RunPlan;

function statusOf(changes: Partial<RunStatus> = {}): RunStatus {
  return { state: "running", experiment: "e", logPath: "/l", now: 0, ...changes };
}

describe("the budget's end", () => {
  it("is the last minute that the budget still pays", () => {
    expect(spentAt([{ launchedAt, priceCents: 120 }], 2)).toBe(minute(100));
    expect(spentAt([{ launchedAt, priceCents: 129 }], 1)).toBe(minute(46));
    expect(spentAt([{ launchedAt, priceCents: 0 }], 1)).toBeUndefined();
  });
});

describe("limits", () => {
  it("are those that are set, as far as is known", () => {
    expect(limitsOf({}, undefined, minute(60), { billed })).toEqual([]);
    expect(limitsOf({ run }, undefined, minute(60), { billed, budgetDollars: 2 })).toHaveLength(1);
    const status = statusOf({ usedSeconds: 1800, idleSeconds: 60 });
    const all = limitsOf({ run }, status, minute(60), { billed, budgetDollars: 2 });
    expect(all.map(({ reason, used }) => [reason, used])).toEqual([
      ["budget", 0.6],
      ["limit", 0.5],
      ["idle", 0.1],
    ]);
    expect(all[0]?.text).toBe("$1.20 of budgetDollars $2.00");
  });
});

describe("a look", () => {
  const limit = (used: number, reason: Limit["reason"] = "budget"): Limit => ({ reason, used, text: "so much" });
  const look = (changes: Partial<Parameters<typeof judge>[0]>): ReturnType<typeof judge> =>
    judge({ status: statusOf(), gone: false, limits: [], ...changes });

  it.each([
    [0.79, "within", []],
    [0.8, "within", ["warning: 80 % used, so much"]],
    [0.999, "within", ["warning: 99 % used, so much"]],
    [1, "limit", ["limit reached: so much"]],
  ])("at %d of a limit is %s", (used, outcome, lines) => {
    expect(look({ limits: [limit(used)] })).toMatchObject({ outcome, lines });
  });

  it("that cannot reach the instance is unknown, not over, unless the budget is", () => {
    expect(look({ status: undefined, unreachable: "no route", limits: [limit(0.9)] }).outcome).toBe("unreachable");
    const over = look({ status: undefined, unreachable: "no route", limits: [limit(1.1)] });
    expect(over).toMatchObject({ outcome: "limit", reason: "budget" });
  });

  it.each(["finished", "failed", "stopped"] as const)("at a run that has %s sees its end", (state) => {
    expect(look({ status: statusOf({ state }) }).outcome).toBe("ended");
  });

  it.each(["starting", "running", "evaluating", "absent"] as const)("at a run that is %s does not", (state) => {
    expect(look({ status: statusOf({ state }) }).outcome).toBe("within");
  });

  it.each(["budget", "limit", "idle"] as const)("sees that the run was stopped by its %s", (stopReason) => {
    expect(look({ status: statusOf({ state: "stopped", stopReason }) })).toMatchObject({
      outcome: "limit",
      reason: stopReason,
    });
  });

  it("at an instance that the state does not know sees it, and its cost against the budget", () => {
    const stray = {
      id: "s",
      name: "lambda-train-test-0a1b2c3d",
      type: "gpu_1x_a10",
      region: "us-east-1",
      status: "active",
      priceCents: 120,
      launchedAt,
    };
    const spending = { billed: [stray], budgetDollars: 2 };
    const limits = limitsOf({}, undefined, minute(60), spending);
    expect(limits).toMatchObject([{ reason: "budget", used: 0.6 }]);
    const seen = look({ status: undefined, gone: true, limits, strays: [stray] });
    expect(seen.outcome).toBe("stray");
    expect(seen.lines[0]).toContain("instance s (gpu_1x_a10 in us-east-1) was launched");
    const over = limitsOf({}, undefined, minute(100), spending);
    expect(look({ status: undefined, gone: true, limits: over, strays: [stray] })).toMatchObject({
      outcome: "limit",
      reason: "budget",
    });
    // Beside the one that the state knows, both cost.
    const both = { ...spending, billed: [...billed, stray] };
    expect(limitsOf({}, undefined, minute(50), both)).toMatchObject([{ used: 1 }]);
  });

  it("at an instance that is gone says that it is no longer billed, whatever was spent", () => {
    const seen = look({ gone: true, limits: [limit(3)] });
    expect(seen).toEqual({ outcome: "ended", lines: ["the instance is gone: it is no longer billed"] });
  });
});
