import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** What is on the instance after changes at home, through the real CLI; each test goes on from the one before. */
describe("what was uploaded is what runs", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const workload = (name: string): TinyChanges => ({
    experiment: name,
    workload: { source: "mend" },
    train: { command: "make train", config: null, waitFor: "end" },
  });
  const onInstance = async (command: string): Promise<string> => (await project.run("ssh", [command])).output;
  const trained = (name: string): Promise<string> => onInstance(`cat mend/outputs/${name}/said`);

  beforeAll(async () => {
    project.write(
      "mend/Makefile",
      "train: build/model.txt\n\tpython3 train.py\nbuild/model.txt: src/model.txt\n\tmkdir -p build && cp src/model.txt build/\n",
    );
    project.write("mend/.gitignore", "build/\noutputs/\n");
    project.write("mend/src/model.txt", "version one\n");
    project.write("mend/helper.py", "GOOD = 0\n");
    project.write(
      "mend/train.py",
      [
        "import os, pathlib, shutil, helper",
        'out = pathlib.Path("outputs") / os.environ["LAMBDA_TRAIN_RUN"]',
        "out.mkdir(parents=True)",
        'shutil.make_archive("/tmp/code", "zip", ".")',
        'built = pathlib.Path("build/model.txt").read_text().strip()',
        '(out / "said").write_text(f"{helper.GOOD} {built}\\n")',
        'print("step 1 loss 1", flush=True)\n',
      ].join("\n"),
    );
    cloud = await startTinyStack(project, workload("mend-1"));
  });
  afterAll(() => project.dispose());

  it("has times from which zip can be made", async () => {
    await project.succeeds("up");
    expect(await trained("mend-1")).toBe("0 version one\n");
  });

  it("is newer than what was built from its older version: bytecode, and what make makes", async () => {
    project.write("mend/helper.py", "GOOD = 1\n");
    project.write("mend/src/model.txt", "version two, and longer\n");
    configureTiny(project, workload("mend-2"));
    await project.succeeds("up");
    expect(await trained("mend-2")).toBe("1 version two, and longer\n");
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
