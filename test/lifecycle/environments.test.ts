import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { readRunFile } from "../../emulator/run-file";
import { nothing, TestCloud } from "../support/cloud";
import { dockerStandIn } from "../support/docker";
import { Project } from "../support/project";

/** Environments of other makers than conda and pip, through the real CLI; each test goes on from the one before. */
describe("an environment by uv, and one in a container", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const env: Record<string, string> = {};

  const configure = (environment: object, train: object = {}, stack: object = {}): void => {
    project.write(
      "configs/environments.yaml",
      stringify({
        experiment: "locked",
        workload: { source: "locked" },
        environment: { setup: null, ...environment },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["only_here"] },
        train: { command: "uv run python train.py {experiment} 0", config: null, waitFor: "end", ...train },
        evaluate: null,
        dashboard: null,
      }),
    );
    project.configure({ experiment: "configs/environments.yaml", ...stack });
  };

  beforeAll(async () => {
    cpSync(join(__dirname, "../fixtures/uv-project"), join(project.folder, "locked"), { recursive: true });
    configure({});
    await project.init();
    cloud = await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("is refused before a launch where the lock lacks what is asked for", async () => {
    configure({ extras: ["mor"] });
    expect(await project.fails("up")).toMatch(
      /environment\.extras is "mor": the lock has no extra mor \(only more\)\. Did you mean more\?/,
    );
    configure({ manager: "uv", file: "sub/uv.lock" });
    expect(await project.fails("up")).toMatch(
      /environment\.file is "sub\/uv\.lock": the workload has no sub\/uv\.lock/,
    );
    configure({ image: "team/train:v1" });
    expect(await project.fails("up")).toMatch(
      /environment\.image is "team\/train:v1": the emulated cloud's instances have no Docker\. Use a stack file for Lambda/,
    );
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("by uv has what the lock names, for `uv run` and plain Python, by a uv that the instance lacked", async () => {
    configure({ extras: ["more"] });
    await project.succeeds("up");
    const there = /\/home\/ubuntu\/locked\/\.venv\/lib\/python3[.\d]*\/site-packages\/only_here\.py/;
    expect(await project.succeeds("logs")).toMatch(new RegExp(`step 1 loss 1\\.0 ${there.source}`));
    const gate = (await project.resources()).find(({ urn }) => urn.endsWith("gate-verify"))?.outputs?.stdout;
    expect(gate).toMatch(/ok python: Python 3\.[\d.]+, \/home\/ubuntu\/locked\/\.venv\/bin\/python/);
    const show = ["python", "-c", "import only_here; print(only_here.WHERE)"];
    expect(await project.succeeds("exec", ["--", ...show])).toMatch(there);
    expect(await project.succeeds("exec", ["--", "uv", "run", "--frozen", ...show])).toMatch(there);
    const log = await project.succeeds("ssh", ["--", "cat ~/.lambda-train/steps/setup/log"]);
    expect(log).toMatch(/Installing uv==[\d.]+ from PyPI\n/);
    expect(log).toMatch(/Environment: uv \(uv\.lock\)/);
    expect(await project.succeeds("up")).not.toMatch(/environment-setup.*(?:created|updated|replaced)/);
    await project.succeeds("down", ["--keep-cloud"]);
  });

  it("in a container needs an instance with Docker", async () => {
    // The emulated cloud plays Lambda, of which nobody knows at home what its instances have.
    const { url, sshPort } = readRunFile(join(project.folder, ".local")) ?? {};
    env.LAMBDA_API_KEY = cloud.apiKey;
    project.write("locked/docker", dockerStandIn({ packages: "/home/ubuntu/image" }), 0o755);
    const environment = { image: "team/train:v1", variables: { TOKEN: "a-secret-value" } };
    const train = { command: "python3 train.py {experiment} 600", waitFor: "first-step", graceSeconds: 10 };
    configure(environment, train, { endpoint: url, sshPort, sshSources: ["127.0.0.0/8"] });
    expect(await project.fails("up", ["--yes"], env)).toMatch(
      /environment\.image needs Docker, and this instance has no `docker` on its PATH/,
    );
    await project.succeeds(
      "ssh",
      ["--", "install -D locked/docker ~/.local/bin/docker; mkdir image; echo 'WHERE = 1' > image/only_here.py"],
      env,
    );
  });

  it("in a container trains, stops cleanly and brings its results home", async () => {
    await project.succeeds("up", ["--yes"], env);
    const gate = (await project.resources()).find(({ urn }) => urn.endsWith("gate-verify"))?.outputs?.stdout;
    expect(gate).toMatch(/ok container: team\/train:v1\n/);
    expect(gate).toMatch(/ok module only_here/);
    const show = "import only_here, os; print(only_here.WHERE, os.environ['IS_IMAGE'], os.environ['TOKEN'])";
    expect(await project.succeeds("exec", ["--", "python3", "-c", show], env)).toContain("1 yes a-secret-value");
    await project.succeeds("stop", [], env);
    expect(await project.succeeds("logs", [], env)).toContain("stopped with a checkpoint");
    expect(await project.succeeds("ssh", ["--", "cat docker.log"], env)).not.toContain("a-secret-value");
    await project.succeeds("down", ["--yes", "--keep-cloud"], env);
    expect(JSON.parse(project.read("results/test/locked/variables.json"))).toMatchObject({
      IS_IMAGE: "yes",
      TOKEN: "a-secret-value",
    });
    expect(project.read("results/test/locked/checkpoint.json")).toBe("{}");
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
