import { mkdirSync, rmdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

const makefile = `train: build/model.txt
	python3 train.py
build/model.txt: src/model.txt
	mkdir -p build && cp src/model.txt build/
`;

/** Says what it imports, what was built, which classes there are, and whether its folder can be zipped. */
const training = `import os, pathlib, shutil, helper
out = pathlib.Path("outputs") / os.environ["LAMBDA_TRAIN_RUN"]
out.mkdir(parents=True)
shutil.make_archive("/tmp/code", "zip", ".")
said = [helper.GOOD, pathlib.Path("build/model.txt").read_text(), sorted(os.listdir("data/train"))]
said += [pathlib.Path("current/name").read_text(), sorted(os.listdir("plugins"))]
(out / "said").write_text(repr(said))
print("step 1 loss 1", flush=True)
`;

/** What is on the instance after changes at home, through the real CLI; each test goes on from the one before. */
describe("what was uploaded is what runs", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const configure = (experiment: string): void => {
    const file = {
      experiment,
      workload: { source: "mend" },
      dataset: { source: "classes", splits: ["train"] },
      environment: { setup: null },
      gate: { gpu: "optional", minDiskGiB: 0, modules: [] },
      train: { command: "make train", config: null, waitFor: "end" },
      evaluate: null,
      dashboard: null,
    };
    project.write("configs/mend.yaml", stringify(file));
    project.configure({ experiment: "configs/mend.yaml" });
  };
  const said = async (experiment: string): Promise<string> =>
    (await project.run("ssh", [`cat mend/outputs/${experiment}/said`])).output;
  const linkTo = (version: string): void => {
    rmSync(join(project.folder, "mend/current"), { force: true });
    symlinkSync(version, join(project.folder, "mend/current"));
  };

  beforeAll(async () => {
    project.write("mend/Makefile", makefile);
    project.write("mend/.gitignore", "build/\n");
    project.write("mend/src/model.txt", "one");
    project.write("mend/helper.py", "GOOD = 0\n");
    project.write("mend/train.py", training);
    // The text of the link to it is the content of another file.
    project.write("mend/v1/name", "v1");
    project.write("mend/v2/name", "v2");
    linkTo("v1");
    project.write("classes/train/cat/1", "x");
    for (const path of ["mend/plugins/none", "classes/train/empty"]) {
      mkdirSync(join(project.folder, path), { recursive: true });
    }
    configure("mend-1");
    await project.init();
    cloud = await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("has times from which a zip can be made, and empty folders", async () => {
    await project.succeeds("up");
    expect(await said("mend-1")).toBe("[0, 'one', ['cat', 'empty'], 'v1', ['none']]");
  });

  it("is newer than what was built from the version before: bytecode, and what make makes", async () => {
    project.write("mend/helper.py", "GOOD = 1\n");
    project.write("mend/src/model.txt", "two, and longer");
    linkTo("v2");
    rmdirSync(join(project.folder, "classes/train/empty"));
    project.write("classes/train/dog/1", "y");
    configure("mend-2");
    await project.succeeds("up");
    expect(await said("mend-2")).toBe("[1, 'two, and longer', ['cat', 'dog'], 'v2', ['none']]");
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});

/** Not so many that it takes long, and enough for a reading that lasts longer than the pace of these lines. */
const many = 12_000;

describe("a dataset of many files", { timeout: 240_000 }, () => {
  const project = new Project();
  const env = { LAMBDA_TRAIN_STATUS_SECONDS: "0.2" };

  afterAll(() => project.dispose());

  it("tells how far its reading is: as it is planned, and as it is uploaded", async () => {
    const cloud = await startTinyStack(project);
    for (let folder = 0; folder < many / 1000; folder++) {
      mkdirSync(join(project.folder, `tiny-data/valid/${folder}`));
      for (let i = 0; i < 1000; i++) project.write(`tiny-data/valid/${folder}/${i}`, "x");
    }
    const first = await project.succeeds("up", [], env);
    expect(first).toMatch(
      /pulumi:pulumi:Stack lambda-train-test .*reading the dataset.*: [\d,]+ of 12,003 files, 0\.0 GB hashed/,
    );
    // A quick machine has read them before the first count of it is due, and is sending by then.
    expect(first).toMatch(/dataset-upload creating .*(reading: (tiny-data|[\d,]+ files found)|sending: [\d.]+ of)/);
    expect(first).toMatch(/tiny\/data: sent 12003 files, 0\.0 MB/);
    expect((await project.run("ssh", ["find tiny/data -type f | wc -l"])).output).toBe("12003\n");
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
