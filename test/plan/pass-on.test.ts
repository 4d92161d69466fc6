import { afterEach, describe, expect, it, vi } from "vitest";
import { giverOf, passesOn, passOnVariable } from "../../plan/pass-on";
import { PlanError } from "../../plan/problems";
import type { DatasetPlan } from "../../plan/types";

describe("a dataset", () => {
  const folder: DatasetPlan = { source: { kind: "folder", path: "/data" }, target: "data", splits: [], hash: "" };
  afterEach(() => vi.unstubAllEnvs());

  it("is passed on from 256 MB on, between machines that each hold their own", () => {
    expect(passesOn(folder, 256e6, 2)).toBe(true);
    expect(passesOn(folder, 256e6 - 1, 2)).toBe(false);
    expect(passesOn(folder, 256e6, 1)).toBe(false);
    expect(passesOn({ ...folder, source: { kind: "archive", path: "/data.zip" } }, 256e6, 2)).toBe(true);
    expect(passesOn({ ...folder, cache: "/lambda/nfs/fs/data" }, 256e6, 2)).toBe(false);
    expect(passesOn({ ...folder, source: { kind: "url", url: "https://example.org/data.zip" } }, 256e6, 2)).toBe(false);
    expect(passesOn(undefined, 0, 2)).toBe(false);
  });

  it("is passed on from another size on where the variable says so", () => {
    vi.stubEnv(passOnVariable, "0.5");
    expect(passesOn(folder, 5e5, 2)).toBe(true);
    expect(passesOn(folder, 5e5 - 1, 2)).toBe(false);
    vi.stubEnv(passOnVariable, "1 GB");
    expect(() => passesOn(folder, 1, 2)).toThrow(PlanError);
    expect(() => passesOn(folder, 1, 2)).toThrow(/LAMBDA_TRAIN_PASS_ON_MB.*1 GB.*number of megabytes/s);
  });

  it("comes from the first machine of a sweep, and in one training from the machine half as far", () => {
    const others = [1, 2, 3, 4, 5, 6];
    expect(others.map((each) => giverOf(each, false))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(others.map((each) => giverOf(each, true))).toEqual([0, 0, 1, 1, 2, 2]);
  });
});
