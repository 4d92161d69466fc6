import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { Project } from "../support/project";

/** A workload that brings Ray, of the package registry; each test goes on from where the one before ended. */
describe("a Ray cluster of two machines", { timeout: 240_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let [up, token] = ["", ""];
  /** The step of its last checkpoint where it was stopped. */
  let stoppedAt = 0;

  const on = (rank: number, line: string): Promise<string> =>
    project.succeeds("exec", ["--rank", String(rank), "bash", "-c", line]);
  const logOf = (rank: number): Promise<string> =>
    project.succeeds("logs", ["--no-follow", "--lines", "1000", "--rank", String(rank)]);
  const lastState = (): { step: number; nodes: string[]; stopped: number } =>
    JSON.parse(readFileSync(join(project.folder, "results/test/clustered/last.json"), "utf8"));

  beforeAll(async () => {
    cpSync(join(__dirname, "../fixtures/ray"), join(project.folder, "work"), { recursive: true });
    const experiment = {
      experiment: "clustered",
      workload: { source: "work" },
      environment: { setup: null },
      gate: { gpu: "optional", minDiskGiB: 0, modules: [] },
      train: {
        command: "python drive.py {experiment}",
        resume: "auto",
        config: null,
        nodes: 2,
        cluster: "ray",
        graceSeconds: 30,
        firstStepTimeoutMinutes: 2,
      },
      evaluate: null,
    };
    project.write("configs/ray.yaml", stringify(experiment));
    project.configure({ experiment: "configs/ray.yaml" });
    await project.init();
    cloud = await TestCloud.start(project);
    up = await project.succeeds("up");
  }, 400_000);
  afterAll(() => project.dispose());

  it("has the run's command as its driver, on rank 0 alone", async () => {
    expect(up).toContain("ok module ray");
    expect(up).toMatch(/first step: .*step 1 loss/);
    expect(await logOf(0)).toMatch(/2 nodes at \d+\.\d+\.\d+\.\d+:\d+/);
    expect(await logOf(1)).not.toContain("nodes at");
  });

  it("lets in who has the fleet's token, which nothing shows", async () => {
    token = (await on(0, "cat ~/.lambda-train/fleet/ray-token")).trim();
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect((await on(1, "cat ~/.lambda-train/fleet/ray-token")).trim()).toBe(token);
    expect(await on(1, "stat -c %a ~/.lambda-train/fleet/ray-token")).toContain("600");
    const address = /nodes at (\S+)/.exec(await logOf(0))?.[1] ?? "";
    const join = `python -c "import ray; ray.init(address='${address}'); print('inside', len(ray.nodes()))" 2>&1`;
    const path = "RAY_AUTH_TOKEN_PATH=~/.lambda-train/fleet/ray-token RAY_AUTH_MODE=token";
    expect(await on(0, `${path} ${join}`)).toContain("inside 2");
    expect(await on(0, `RAY_AUTH_MODE=disabled timeout 60 ${join} || true`)).not.toContain("inside");
    for (const rank of [0, 1]) {
      expect(await logOf(rank)).not.toContain(token);
      expect(await on(rank, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")).not.toContain(token);
    }
    expect(project.stateText()).not.toContain(token);
  });

  it("shows its dashboard through the tunnel alone", async () => {
    expect(await on(0, "ss -ltnH 'sport = :8265' || true")).toMatch(/127\.0\.0\.1:8265/);
    const { child, ended } = project.start(process.execPath, ["dist/cli/dashboard.js", "--workload"]);
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said, { timeout: 30_000 }).toContain("http://127.0.0.1:");
    const url = /http:\S+/.exec(said)?.[0] ?? "";
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(`${url}/api/jobs/`)).status).toBe(401);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${url}/api/jobs/`, { headers })).status).toBe(200);
    child.kill("SIGTERM");
    await ended;
  });

  inFleetSuite(() => {
    it("stays until the driver has written its checkpoint where the run is stopped, and starts again to go on from it", async () => {
      await project.succeeds("stop");
      await project.succeeds("results");
      expect(lastState()).toMatchObject({ stopped: 2 });
      expect((await project.run("status")).output).toMatch(/\(user\)[\s\S]*\(user\)/);
      stoppedAt = lastState().step;
      await project.succeeds("up");
    });
  });

  it("ends well on all machines as soon as the driver has", async () => {
    await on(0, "touch outputs/clustered/end");
    expect(await project.succeeds("wait")).toContain("clustered: finished (exit status 0)");
    const state = async (): Promise<string> => (await project.run("status")).output;
    await expect.poll(state, { timeout: 30_000, interval: 1_000 }).toMatch(/finished[\s\S]*finished/);
    for (const rank of [0, 1]) {
      expect(await logOf(rank)).toContain("training ended with status 0");
      expect(await on(rank, "pgrep -f '[r]aylet|[g]cs_server' || echo none")).toContain("none");
    }
    await project.succeeds("results");
    expect(lastState().step).toBeGreaterThan(stoppedAt);
    expect(lastState().nodes).toHaveLength(2);
    expect(await verifyResults(join(project.folder, "results/test/clustered"))).toMatchObject({ ok: true });
    expect(readFileSync(join(project.folder, "results/test/clustered/manifest.json"), "utf8")).not.toContain("/ray/");
  });

  it("leaves nothing behind", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
