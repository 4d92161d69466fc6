import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";

const setup = `#!/usr/bin/env bash
set -e
sed 's/device: cpu/device: auto/' configs/default.yaml > configs/lambda.yaml
echo "epochs: 2" >> configs/lambda.yaml
`;

const fit = `import pathlib, sys, time
text = pathlib.Path(sys.argv[1]).read_text()
print(text, flush=True)
for step in range(1, 4):
    print(f"step {step} loss {1 / step}", flush=True); time.sleep(0.3)
out = pathlib.Path("outputs") / sys.argv[2]; out.mkdir(parents=True, exist_ok=True)
(out / "seen.yaml").write_text(text)
`;

const experiment = (overrides: string): string => `experiment: made
workload: { source: made }
environment: { manager: none }
gate: { gpu: optional, minDiskGiB: 0, modules: [] }
train:
  command: python3 fit.py {config} {experiment}
  config: configs/lambda.yaml
  overrides: ${overrides}
  waitFor: end
evaluate: null
dashboard: null
`;

describe("a config that the setup script makes", { timeout: 180_000 }, () => {
  const project = new Project();
  const overridden = (overrides: string): void => project.write("configs/made.yaml", experiment(overrides));
  beforeAll(async () => {
    project.write("made/scripts/lambda_setup.sh", setup, 0o755);
    project.write("made/fit.py", fit);
    project.write("made/configs/default.yaml", "# defaults for a laptop\nlr: 0.1   # with decay\ndevice: cpu\n");
    project.configure({ experiment: "configs/made.yaml" });
    await project.init();
    await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("is told in a preview as what is known only after setup", async () => {
    overridden("{ lr: 0.5 }");
    const said = await project.succeeds("up", ["--preview-only"]);
    expect(said).toContain(
      "train.config: setup makes configs/lambda.yaml. What it holds and whether the overrides fit is known only after setup.",
    );
  });

  it("is what setup left with the overrides laid over it, rows and comments kept", async () => {
    await project.succeeds("up");
    await project.succeeds("results");
    expect(project.read("results/test/made/seen.yaml")).toBe(
      "# defaults for a laptop\nlr: 0.5   # with decay\ndevice: auto\nepochs: 2\n",
    );
    expect(await project.succeeds("up")).toMatch(/\d+ unchanged/);
  });

  it("is made and laid over again where what it is made of has changed, and the run is another", async () => {
    project.write("made/configs/default.yaml", "lr: 0.1\ndevice: cpu\nwidth: 7\n");
    await project.succeeds("up");
    await project.succeeds("results");
    expect(project.read("results/test/made/seen.yaml")).toBe("lr: 0.5\ndevice: auto\nwidth: 7\nepochs: 2\n");
  });

  it("that takes no such override is told by name, before training starts", async () => {
    overridden("{ device: { first: 1 } }");
    const said = await project.fails("up");
    expect(said).toContain("train.overrides.device: configs/lambda.yaml, as setup made it, doesn't take the overrides");
    expect(said).not.toContain("first step");
  });

  it("that setup doesn't make fails at the gate", async () => {
    overridden("{ lr: 0.25 }");
    project.write(
      "made/scripts/lambda_setup.sh",
      "#!/bin/bash\n# would write configs/lambda.yaml\nrm -f configs/lambda.yaml\n",
    );
    const said = await project.fails("up");
    expect(said).toMatch(
      /FAIL config: setup ended and configs\/lambda.yaml is not there; its log is .*steps\/setup\/log/,
    );
    await project.succeeds("down");
  });
});
