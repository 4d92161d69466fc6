import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import type { TestCloud } from "../support/cloud";
import { nothing } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** A run that goes on is left alone, with all that it stands on; each test goes on from where the one before ended. */
describe("a run that goes on", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const endless = { steps: 100_000 };
  const setup = "echo run >> ~/setups\n";

  const up = (...args: string[]): Promise<string> => project.succeeds("up", args);
  const onInstance = (command: string): Promise<string> => project.succeeds("ssh", [command]);
  const run = async (): Promise<Record<string, unknown>> => JSON.parse(await project.succeeds("status", ["--json"])).run;
  const home = (experiment: string): string => join(project.folder, "results", "test", experiment);
  /** Every file that a run stands on, with its hash and time, and which process trains. */
  const standing = (): Promise<string> =>
    onInstance(
      "cd; find tiny .lambda-train/env.sh setups -path tiny/outputs -prune -o -type f -printf '%T@ ' -exec sha256sum {} +; pgrep -f [t]rain.py",
    );
  const configure = (changes: TinyChanges = {}): void => configureTiny(project, { overrides: endless, ...changes });

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: endless });
    await up();
  });
  afterAll(() => project.dispose());

  it("a preview of a change needs no cloud, and shows the change", async () => {
    configure({ train: { maxHours: 2 } });
    await up();
    project.write("tiny-data/test/more.jsonl", "[30, 90]\n");
    await project.run("cloud", ["stop"]);
    const { code, output } = await project.pulumi(["preview"]);
    expect(code, output).toBe(0);
    expect(output).toMatch(/dataset-upload +update/);
    await project.succeeds("cloud", ["start"]);
  });
});
