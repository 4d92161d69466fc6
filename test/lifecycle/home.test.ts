import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack } from "../support/tiny";

/** What lies at home after a run, through the real CLI; each test goes on from where the one before ended. */
describe("results at home", { timeout: 180_000 }, () => {
  const project = new Project();
  const stack = join(project.folder, "results", "test");
  const home = (path = ""): string => join(stack, "tiny-v1", path);
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project);
    // As frameworks leave their outputs: a folder that is named as one of the stack's own, a link and a file that holds
    // the link's text, a folder that nothing is in, and a name that is no UTF-8.
    project.write(
      "tiny/train.py",
      `${readFileSync(join(project.folder, "tiny", "train.py"), "utf8")}
import os
import shutil
(out / "run").mkdir(exist_ok=True)
(out / "run" / "train.log").write_text("the workload's own\\n")
(out / "manifest.json").write_text("{}")
(out / "samples").mkdir(exist_ok=True)
(out / "last_checkpoint").write_text("checkpoints/best_model.pt")
if not (out / "best").is_symlink():
    os.symlink("checkpoints/best_model.pt", out / "best")
open(os.fsencode(out) + b"/n\\xe9", "w").write("odd")
open(out / r"n\\xe9", "w").write("plain")
(out / "config.txt").write_text(str(config["steps"]))
`,
    );
  });
  afterAll(() => project.dispose());

  it("hold all that the workload has named as the stack names its own", async () => {
    configureTiny(project, { overrides: { steps: 4, seconds_per_step: 0.01, fail_at: 0 }, train: { waitFor: "end" } });
    await project.succeeds("up");
    const output = await project.succeeds("results");
    expect(output).toContain('The workload\'s own "run" is downloaded as "run.workload": run/ holds the stack\'s logs');
    expect(readFileSync(home("run/train.log"), "utf8")).toContain("step 4");
    expect(readFileSync(home("run.workload/train.log"), "utf8")).toBe("the workload's own\n");
    expect(readFileSync(home("manifest.json.workload"), "utf8")).toBe("{}");
    expect(readFileSync(home("last_checkpoint"), "utf8")).toBe("checkpoints/best_model.pt");
    expect(readdirSync(home("samples"))).toEqual([]);
    expect(readFileSync(home("n\\xe9"), "utf8")).toBe("odd");
    expect(readFileSync(home("n\\x5cxe9"), "utf8")).toBe("plain");
    expect(await verifyResults(home())).toMatchObject({ ok: true });
  });

  it("are noted on the instance, whether it ends itself or not", async () => {
    const { output } = await project.run("ssh", ["cat .lambda-train/runs/tiny-v1/state.json"]);
    expect(output).toMatch(/"fetched": \d+/);
  });

  it("of another configuration stand beside those of the first, each as its own record says", async () => {
    configureTiny(project, { overrides: { steps: 9, seconds_per_step: 0.01, fail_at: 0 }, train: { waitFor: "end" } });
    await project.succeeds("up");
    const output = await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    const kept = readdirSync(stack).filter((name) => name.startsWith("tiny-v1."));
    expect(kept, output).toHaveLength(1);
    const first = join(stack, kept[0] ?? "");
    expect(output).toContain(`they are kept as ${first}`);
    expect(readFileSync(join(first, "config.txt"), "utf8")).toBe("4");
    expect(readFileSync(home("config.txt"), "utf8")).toBe("9");
    const [old, now] = await Promise.all([verifyResults(first), verifyResults(home())]);
    expect([old.ok, now.ok]).toEqual([true, true]);
    const source = /^([^:]+):tiny-v1@([0-9a-f]{12})\.[0-9a-f]{8}$/;
    const [, instance, hash] = source.exec(old.source) ?? [];
    expect(source.exec(now.source)?.[1]).toBe(instance);
    expect(source.exec(now.source)?.[2]).not.toBe(hash);
    // A command that only looks tells both.
    const told = await project.succeeds("experiments", [], { COLUMNS: "200" });
    expect(told).toContain(`${kept[0]}  earlier run of tiny-v1`);
    const { experiments } = JSON.parse(await project.succeeds("experiments", ["--json"])) as {
      experiments: { experiment: string; folder: string }[];
    };
    expect(experiments.map(({ experiment }) => experiment).sort()).toEqual(["tiny-v1", kept[0]]);
    expect(existsSync(experiments[0]?.folder ?? "")).toBe(true);
  });
});
