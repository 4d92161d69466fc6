import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runLocally } from "../local/command";
import { localFolder } from "../local/paths";
import { PlanError } from "./problems";
import type { WorkloadPlan } from "./types";

/**
 * Runs the workload's smoke command here, before a launch. Passed once, it is not run again until the
 * command or the code changes.
 * @throws PlanError with the end of what it said where it fails.
 */
export function smokeTest({ smoke, folder, hash }: WorkloadPlan): void {
  if (smoke === undefined) return;
  const passed = join(localFolder(), "smoke", createHash("sha256").update(`${hash} ${smoke}`).digest("hex"));
  if (existsSync(passed)) return;
  const said = runLocally(smoke, folder);
  if (said !== undefined) {
    const next = "Run it by hand in the workload and fix what it says";
    throw new PlanError([{ field: "workload.smoke", value: smoke, message: `it failed: ${said}`, next }]);
  }
  mkdirSync(join(passed, ".."), { recursive: true });
  writeFileSync(passed, "");
}
