import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { requireCode, sentText } from "../../../cli/beside/code";
import { gpusOption, gpuVariables, withVariables } from "../../../cli/beside/gpus";
import { spentOn } from "../../../cli/beside/start";
import type { Reachable, StackView } from "../../../cli/stack/stack-view";
import { jobRows } from "../../../cli/status/jobs";
import { cacheFolder } from "../../../local/paths";
import { jobsGoingOn } from "../../../remote/jobs";
import { type RunStatus, statusSchema } from "../../../remote/types";

describe("what runs beside a run", () => {
  const instance = { id: "i", type: "t", region: "r", priceCents: 60, launchedAt: "2026-01-01T00:00:00Z" };

  it("sees the GPUs that are chosen", () => {
    expect(gpusOption("0,12")).toBe("0,12");
    for (const wrong of ["", "all", "1,", "-1", "0 1"]) expect(() => gpusOption(wrong)).toThrow("0, or 2,3");
    expect(withVariables(gpuVariables("1"), ["python", "x.py"])).toEqual([
      "env",
      "CUDA_VISIBLE_DEVICES=1",
      "python",
      "x.py",
    ]);
    expect(withVariables(gpuVariables(undefined), ["python"])).toEqual(["python"]);
  });

  it("ends when its instance has spent its share of the budget", () => {
    const machines = [{}, {}] as unknown as StackView["machines"];
    const spent = (budgetDollars?: number) =>
      spentOn({ instance: { ...instance, budgetDollars } }, { machines } as StackView);
    expect(spent(2.4)).toBe(Date.parse("2026-01-01T02:00:00Z"));
    expect(spent()).toBeUndefined();
  });

  it("brings changes of a folder, and none of a git URL's checkout", () => {
    const view = (source: string) =>
      ({ run: {}, workspace: "w", code: { source, workspace: "w", protectedPaths: [] } }) as unknown as Reachable;
    expect(requireCode(view("/home/me/w"))).toMatchObject({ workspace: "w" });
    const checkout = join(cacheFolder(), "workloads", "a1", "checkouts", "b2");
    expect(() => requireCode(view(checkout))).toThrow(/workload\.source is a git URL.*a clone of it/);
    expect(() => requireCode({ run: {}, workspace: "w" } as unknown as Reachable)).toThrow("`npm run up` uploads it");
  });

  it("tells what was sent", () => {
    const none = { sentFiles: 0, sentBytes: 0, removed: 0, seconds: 0.1 };
    expect(sentText(none)).toBe("no file has changed");
    expect(sentText({ ...none, removed: 2 })).toBe("sent 0 files, 0.0 MB in 0.1 s, removed 2");
    expect(sentText({ ...none, sentFiles: 1, sentBytes: 2e6 })).toBe("sent 1 file, 2.0 MB in 0.1 s");
  });

  it("is told as a job, with how it ended", () => {
    const jobs = [
      { experiment: "a", state: "running" as const, startedAt: "2026-01-01T00:00:00Z" },
      { experiment: "b", state: "stopped" as const, exitCode: 143, stopReason: "budget" },
    ];
    const status = { jobs, now: Date.parse("2026-01-01T00:05:00Z") / 1000 } as unknown as RunStatus;
    const rows = jobRows(status).map((row) => row.map(stripVTControlCharacters));
    expect(rows).toEqual([
      ["jobs", "a  running  5 min ago"],
      ["", "b  stopped  exit status 143 (budget)"],
    ]);
    expect(jobsGoingOn(status)).toEqual(["a"]);
    expect(jobRows({ now: 0 } as RunStatus)).toEqual([]);
  });

  it.each(["../x", "a/b", "", ".", "a b"])(
    "is refused where an instance calls it %j, which would be a folder here",
    (name) => {
      const told = {
        state: "running",
        experiment: "e",
        logPath: "/l",
        now: 1,
        jobs: [{ experiment: name, state: "running" }],
      };
      expect(statusSchema.safeParse(told).success).toBe(false);
      expect(statusSchema.safeParse({ ...told, jobs: [{ experiment: "a-1_b", state: "running" }] }).success).toBe(true);
    },
  );
});
