import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resultsFile } from "../../remote/transfer/results-file";
import { folderOfPart } from "../../remote/trial-part";

/** A trial that two machines have had. */
describe("the folder of a machine's part of a trial", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "lambda-train-part-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const home = (instance: string, exitCode: number, stopReason?: string): void => {
    const folder = join(directory, "swept-t1");
    mkdirSync(folder);
    const attempts = [{ number: 1, exitCode, stopReason }];
    const run = { experiment: "swept-t1", hash: "0a1b", attempt: 1, attempts };
    const head = { createdAt: "2026-01-01T00:00:00.000Z", source: `${instance}:swept-t1@0a1b`, run };
    writeFileSync(join(folder, resultsFile), `${JSON.stringify(head).slice(0, -1)},"files":[\n]}\n`);
  };
  const part = (state: "stopped" | "finished", isTrial = true) =>
    folderOfPart(
      { instanceId: "bbbb0000cccc", run: { experiment: "swept-t1" }, directory, ...(isTrial && { isTrial }) },
      { state },
    );

  it("is another one where the trial is home from the machine that ended it", () => {
    home("aaaa", 0);
    expect(part("stopped")).toBe(join(directory, "part.bbbb0000", "swept-t1"));
  });

  it("is another one where the trial was pruned there", () => {
    home("aaaa", 143, "pruned");
    expect(part("stopped")).toBe(join(directory, "part.bbbb0000", "swept-t1"));
  });

  it("is the trial's own where it has ended here, where nothing is home, or for a run that is no trial", () => {
    expect(part("stopped")).toBeUndefined();
    home("aaaa", 0);
    expect(part("finished")).toBeUndefined();
    expect(part("stopped", false)).toBeUndefined();
  });

  it.each([
    ["a part too", "aaaa", 143, "worker"],
    ["from this machine", "bbbb0000cccc", 0, undefined],
  ] as const)("is the trial's own where what is home is %s", (_what, instance, exitCode, stopReason) => {
    home(instance, exitCode, stopReason);
    expect(part("stopped")).toBeUndefined();
  });
});
