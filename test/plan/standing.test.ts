import { expect, it } from "vitest";
import { heldPlan } from "../../plan/standing";
import { standingPlan, testPlan } from "../remote/plan";

it("a run that goes on keeps the config that the gate compares with the instance's, and takes over limits", () => {
  const at = (sha256: string, maxSeconds: number) =>
    standingPlan(testPlan({ run: { overriddenConfig: { path: "a.yaml", sha256 }, maxSeconds } }));
  const [held] = heldPlan(at("old", 1), at("new", 2)).runs;
  expect(held?.run).toMatchObject({ overriddenConfig: { sha256: "old" }, maxSeconds: 2 });
});
