import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { forgetEndings, noteGone, noteStatus } from "../../cli/stack/endings";
import { viewOf } from "../../cli/stack/exported";
import { idleLine } from "../../cli/stack/idle";
import { jobsOf } from "../../cli/stack/stack-view";
import type { RunStatus } from "../../remote/types";
import { exported, launchedAt, type MadeMachine } from "../support/stack-state";

/** The last line of commands about instances whose runs have ended. */
describe("an instance that is billed for nothing", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", folder);
    vi.setSystemTime(Date.parse(launchedAt) + 3_600_000);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const one: MadeMachine = { name: "machine", runs: ["run"] };
  const two: MadeMachine[] = [one, { name: "machine-2", runs: ["run-2"] }];
  const later = (minutes: number): number => Date.now() + minutes * 60_000;
  /** Each instance tells of its run; its clock is an hour behind. */
  const note = (machines: readonly MadeMachine[], change: Partial<RunStatus>): void => {
    const now = Date.now() / 1000 - 3600;
    const endedAt = new Date((now - 60) * 1000).toISOString();
    for (const job of jobsOf(viewOf("test", exported(machines)))) {
      const status = { state: "finished", experiment: "", logPath: "", attempt: 1, endedAt, now, ...change } as const;
      noteStatus(job, status);
    }
  };
  const line = (machines: readonly MadeMachine[], minutes: number): string | undefined =>
    idleLine(viewOf("test", exported(machines)), later(minutes));

  it("is named with the time since its run ended, and its cost", () => {
    note([one], {});
    expect(line([one], 129)).toBe(
      "Instance i-machine is still billed, 2 h 10 min after exp-run finished: $3.78 so far. `npm run down` ends it.",
    );
    note([one], { state: "stopped", attempt: 2 });
    expect(line([one], 9)).toMatch(/10 min after exp-run was stopped/);
  });

  it("is not named right after the end, nor while a run goes on, nor where it is gone", () => {
    expect(line([one], 60)).toBeUndefined();
    note([one], {});
    expect(line([one], 3)).toBeUndefined();
    note([one], { state: "running", endedAt: undefined });
    expect(line([one], 60)).toBeUndefined();
    note([one], { jobs: [{ experiment: "job", state: "running" }] });
    expect(line([one], 60)).toBeUndefined();
    note([one], {});
    noteGone("test", "i-machine");
    expect(line([one], 60)).toBeUndefined();
    note([one], {});
    forgetEndings("test");
    expect(line([one], 60)).toBeUndefined();
  });

  it("is not named if a later up has started its run again", () => {
    note([one], {});
    const view = viewOf("test", exported([one]));
    const again = { ...view, runs: view.runs.map((run) => ({ ...run, attempt: 2 })) };
    expect(idleLine(again, later(60))).toBeUndefined();
  });

  it("is counted together with others", () => {
    note([one], {});
    expect(line(two, 59)).toMatch(/^Instance i-machine is/);
    note(two, {});
    expect(line(two, 59)).toBe(
      "2 instances are still billed, 60 min after the last of their runs ended: $4.76 so far. `npm run down` ends them.",
    );
  });
});
