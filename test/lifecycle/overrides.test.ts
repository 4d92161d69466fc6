import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";

const config = `max_epochs: 10
trainer:
  limit_train_batches: 1.0   # all of them
  val_check_interval: 1.0
  overfit_batches: 0.0
optimizer:
  lr: 1e-3
  betas: !!python/tuple [0.9, 0.999]
seed: 12345678901234567890
mode: 0777
rev: 7e1
`;

const experiment = (overrides: string): string => `experiment: float
workload:
  source: float
environment:
  setup: null
  variables:
    PATH: /opt/tools/bin:$PATH
gate:
  gpu: optional
  minDiskGiB: 0
  modules: []
train:
  command: printenv PYTHON_VERSION ARCH_LIST RUN_ID SWITCH EMPTY PATH; config=mine; echo "\${config}"; cat {config}; echo "step 1 loss 1"
  config: configs/lambda.yaml
  waitFor: end
  graceSeconds: 5
  overrides:
${overrides}
  variables:
    PYTHON_VERSION: 3.10
    ARCH_LIST: 9.0
    RUN_ID: 12345678901234567890
    SWITCH: on
    EMPTY:
evaluate: null
dashboard: null
`;

describe("overrides and variables, where training reads them", { timeout: 120_000 }, () => {
  const project = new Project();
  beforeAll(async () => {
    project.write("float/configs/lambda.yaml", config);
    project.configure({ experiment: "configs/float.yaml" });
    await project.init();
    await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("what cannot be laid over the config is told before anything is rented", async () => {
    project.write("configs/float.yaml", experiment("    max_epochs: {first: 3}"));
    const said = await project.fails("up");
    expect(said).toContain("train.overrides.max_epochs");
    expect(said).toContain("Nothing was launched");
    // The engine starts providers while the plan is made.
    const types = (await project.resources()).map(({ type }) => type);
    expect(types.filter((type) => !type.startsWith("pulumi:providers:"))).toEqual(["pulumi:pulumi:Stack"]);
  });

  it("what no override names is what the file has, and a variable is the text as written", async () => {
    project.write(
      "configs/float.yaml",
      experiment("    max_epochs: 3\n    trainer: {val_check_interval: 0.50}\n    lr: 1e-5"),
    );
    await project.succeeds("up");
    const log = await project.succeeds("logs");
    expect(log).toContain("\n3.10\n9.0\n12345678901234567890\non\n\n/opt/tools/bin:");
    expect(log).toMatch(/^\/opt\/tools\/bin:.*\/usr\/bin.*$/m);
    const expected = config.replace("max_epochs: 10", "max_epochs: 3").replace("interval: 1.0", "interval: 0.50");
    expect(log).toContain(`\nmine\n${expected}lr: 1.0e-5\nstep 1 loss 1\n`);
    await project.succeeds("down", ["--lose-results"]);
  });
});
