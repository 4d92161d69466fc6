import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { offlineRunOf, syncLines } from "../../remote/wandb-runs";

describe("W&B's runs that were recorded offline", () => {
  const folder = mkdtempSync(join(tmpdir(), "wandb-"));
  const runs = ["1", "2"].map((id) => `beside/wandb/offline-run-20261130_010000-${id}`);
  afterAll(() => rmSync(folder, { recursive: true }));

  it("are known by their files", () => {
    expect(offlineRunOf(`${runs[0]}/run-1.wandb`)).toBe(runs[0]);
    for (const path of [
      `${runs[0]}/logs/debug.log`,
      "wandb/run-20261130_010000-1/run-1.wandb",
      "wandb/offline-run-$(id)-1/run-1.wandb",
    ])
      expect(offlineRunOf(path)).toBeUndefined();
  });

  it("have a line that uploads them, until they were", () => {
    expect(syncLines(runs, folder, "results/dev/mine")).toEqual([
      `To upload what W&B recorded offline: wandb sync ${runs.map((run) => `results/dev/mine/${run}`).join(" ")}`,
    ]);
    for (const run of runs) {
      mkdirSync(join(folder, run), { recursive: true });
      writeFileSync(join(folder, run, `run-${run.at(-1)}.wandb.synced`), "");
    }
    expect(syncLines(runs, folder, "results/dev/mine")).toEqual([]);
    expect(syncLines([], folder, "results/dev/mine")).toEqual([]);
  });

  it("are words for a shell, and of many a few are named", () => {
    const [line = ""] = syncLines(
      Array.from({ length: 8 }, (_, at) => `my runs/wandb/offline-run-x-${at}`),
      folder,
      "r",
    );
    expect(line).toContain("'r/my runs/wandb/offline-run-x-0'");
    expect(line).toMatch(/ \(and 2 more folders named offline-run-…\)$/);
  });
});
