import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { readRunFile } from "../../emulator/run-file";
import { nothing, TestCloud } from "../support/cloud";
import { dockerStandIn } from "../support/docker";
import { inFleetSuite } from "../support/fleet-suite";
import { Project } from "../support/project";
import { trialsOf } from "../support/trials";

const image = "team/train:v1";
const secret = "hf_of-the-container-1";

/** Fails where there is no secret, or a process has it among its arguments. */
const notInArguments =
  'test -n "$HF_TOKEN" && printenv HF_TOKEN > /tmp/pattern && ! grep -qsF -f /tmp/pattern /proc/[0-9]*/cmdline; status=$?; rm /tmp/pattern; exit $status';

/** Says where it runs and what it has, and how often it was told to end. */
const probe = `import os, pathlib, signal, sys, time
terms = []
signal.signal(signal.SIGTERM, lambda *_: terms.append(1))
print(os.getcwd(), os.environ["IS_IMAGE"], len(os.environ["HF_TOKEN"]), "letters", flush=True)
print(os.environ["HF_TOKEN"], flush=True)
until = time.monotonic() + float((sys.argv + ["0"])[1])
while not terms and time.monotonic() < until: time.sleep(0.05)
time.sleep(0.5 if terms else 0)
told = "one TERM" if len(terms) == 1 else f"{len(terms)} TERMs"
print(told, flush=True)
if "/dev/" in os.getcwd() and terms: pathlib.Path.home().joinpath("dev-terms").write_text(f"{told}\\n")
`;

/** Takes the arguments and the token that Jupyter takes, and says where it runs and what it has. */
const jupyter = `#!/usr/bin/python3
import http.server, os, sys
if "--version" in sys.argv: sys.exit(print("4.0"))
options = dict(word.lstrip("-").split("=", 1) for word in sys.argv if "=" in word)
class Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    ok = "token=" + os.environ["JUPYTER_TOKEN"] in self.path
    self.send_response(200 if ok else 403); self.end_headers()
    self.wfile.write(f"{os.getcwd()} {os.environ['IS_IMAGE']} {len(os.environ['HF_TOKEN'])} letters".encode())
http.server.HTTPServer((options["ip"], int(options["port"])), Handler).serve_forever()
`;

/** Environments of other makers than conda and pip, through the real CLI; each test goes on from the one before. */
describe("an environment by uv, and one in a container", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const env: Record<string, string> = {};

  const configure = (environment: object, train: object = {}, stack: object = {}, gate: object = {}): void => {
    project.write(
      "configs/environments.yaml",
      stringify({
        experiment: "locked",
        workload: { source: "locked" },
        environment: { setup: null, ...environment },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["only_here"], ...gate },
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
    configure({ image });
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
    // In a copy of the workspace it is the same environment.
    const copied = await project.succeeds("exec", ["--sync", "--", "uv", "run", "--frozen", ...show]);
    expect(copied).toMatch(there);
    await project.succeeds("exec", ["--detach", "beside", "--", "uv", "run", "python", "train.py", "again", "0"]);
    await project.succeeds("wait", ["--run", "beside"]);
    expect(await project.succeeds("logs", ["--run", "beside"])).toMatch(
      new RegExp(`step 1 loss 1\\.0 ${there.source}`),
    );
    expect(await project.succeeds("up")).not.toMatch(/environment-setup.*(?:created|updated|replaced)/);
    expect(await project.succeeds("down", ["--keep-cloud"])).toMatch(/beside: \d+ files?, .* verified/);
    expect(JSON.parse(project.read("results/test/beside/again/variables.json"))).toMatchObject({ UV_NO_SYNC: "1" });
  });

  it("in a container needs an instance with Docker", async () => {
    // The emulated cloud plays Lambda, of which nobody knows at home what its instances have.
    const { url, sshPort } = readRunFile(join(project.folder, ".local")) ?? {};
    env.LAMBDA_API_KEY = cloud.apiKey;
    project.write("locked/docker", dockerStandIn({ packages: "/home/ubuntu/image" }), 0o755);
    env.HF_TOKEN = secret;
    const environment = { image, secrets: ["HF_TOKEN"], variables: { TOKEN: "a-secret-value" } };
    const train = {
      command: 'test -n "$HF_TOKEN" && exec env -u HF_TOKEN python3 train.py {experiment} 600',
      ...{ waitFor: "first-step", graceSeconds: 10 },
    };
    configure(environment, train, { endpoint: url, sshPort, sshSources: ["127.0.0.0/8"] }, { command: notInArguments });
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
  });

  it("in a container runs changed code and jobs, with the image's variables and the secrets", async () => {
    project.write("locked/probe.py", probe);
    const words = ["--", "python3", "probe.py"];
    const synced = await project.succeeds("exec", ["--sync", ...words], env);
    expect(synced).toContain(`/home/ubuntu/lambda-train/dev/locked yes ${secret.length} letters`);
    await project.succeeds("exec", ["--detach", "beside", ...words, "1000"], env);
    const log = (): Promise<string> => project.succeeds("logs", ["--run", "beside", "--no-follow"], env);
    const told = `/home/ubuntu/lambda-train/jobs/beside/locked yes ${secret.length} letters`;
    await expect.poll(log, { timeout: 20_000 }).toContain(`${told}\n${"*".repeat(secret.length)}\n`);
    await project.succeeds("stop", ["--run", "beside"], env);
    expect(await log()).toContain("one TERM");
    const { child, ended } = project.start(process.execPath, ["dist/cli/dev.js", ...words, "1000"], env);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += String(chunk)));
    await expect.poll(() => output, { timeout: 20_000 }).toContain("letters");
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    const left = "cat dev-terms; pgrep -fc 'probe[.]py'; true";
    expect(await project.succeeds("ssh", ["--", left], env)).toBe("one TERM\n0\n");
  });

  it("in a container has a notebook with the secrets, in no argument of Docker or of Jupyter", async () => {
    // Stands in for Jupyter where pip installs it for an image.
    project.write("locked/jupyter", jupyter, 0o755);
    const install = "mkdir -p $PYTHONUSERBASE/bin && cp jupyter $PYTHONUSERBASE/bin/";
    await project.succeeds("exec", ["--sync", "--", "sh", "-c", install], env);
    const { child, ended } = project.start(process.execPath, ["dist/cli/notebook.js"], env);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += String(chunk)));
    await expect.poll(() => output, { timeout: 30_000 }).toMatch(/http:\S+token=/);
    const url = /http:\S+token=[0-9a-f]+/.exec(output)?.[0] ?? "";
    expect(await (await fetch(url)).text()).toBe(`/home/ubuntu/locked yes ${secret.length} letters`);
    const processes = await project.succeeds("ssh", ["--", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"], env);
    expect(processes).toContain("--env HF_TOKEN");
    expect(processes).not.toContain(secret);
    child.kill("SIGINT");
    await ended;
    await project.succeeds("notebook", ["--stop"], env);
  });

  it("in a container leaves no secret behind at the end of what had it, nor shows it anywhere", async () => {
    await project.succeeds("stop", [], env);
    expect(await project.succeeds("logs", [], env)).toContain("stopped with a checkpoint");
    expect(await project.succeeds("ssh", ["--", "ls ~/.lambda-train/secrets"], env)).toBe("");
    const found = await project.succeeds(
      "ssh",
      ["--", `grep -rlF -e ${secret.slice(0, 8)} ~ /tmp 2>/dev/null; true`],
      env,
    );
    expect(found).toBe("");
    expect(await project.succeeds("ssh", ["--", "cat docker.log"], env)).not.toContain("a-secret-value");
    expect(project.stateText()).not.toContain(secret);
    await project.succeeds("down", ["--yes", "--keep-cloud"], env);
    expect(JSON.parse(project.read("results/test/locked/variables.json"))).toMatchObject({
      IS_IMAGE: "yes",
      TOKEN: "a-secret-value",
    });
    expect(project.read("results/test/locked/checkpoint.json")).toBe("{}");
    expect(await cloud.inventory()).toEqual(nothing);
  });
});

inFleetSuite(() => {
  describe("containers on two machines", { timeout: 240_000 }, () => {
    const project = new Project();
    let cloud: TestCloud;
    const both = ["machine", "machine-2"];
    const on = (name: string, line: string): Promise<string> =>
      project.succeeds("ssh", ["--machine", name, "--", line]);

    const configure = (experiment: string, train: object, more: object, stack: object = {}): void => {
      const { url, sshPort } = readRunFile(join(project.folder, ".local")) ?? {};
      const file = {
        experiment,
        workload: { source: "locked" },
        environment: { image, setup: null, secrets: ["HF_TOKEN"] },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["only_here"], command: notInArguments },
        train: { config: null, graceSeconds: 10, ...train },
        ...{ evaluate: null, dashboard: null, ...more },
      };
      project.write("configs/containers.yaml", stringify(file));
      const real = { endpoint: url, sshPort, sshSources: ["127.0.0.0/8"] };
      project.configure({ experiment: "configs/containers.yaml", ...real, ...stack });
    };
    /** Without the secret there is no training. */
    const command = (seconds: string): string =>
      `test -n "$HF_TOKEN" && exec env -u HF_TOKEN python3 train.py {experiment} ${seconds}`;
    const nothingLeft = async (): Promise<void> => {
      for (const name of both) {
        await expect.poll(() => on(name, "ls ~/.lambda-train/secrets"), { timeout: 20_000 }).toBe("");
        expect(await on(name, `grep -rlF -e ${secret.slice(0, 8)} ~ /tmp 2>/dev/null; true`)).toBe("");
      }
      expect(project.stateText()).not.toContain(secret);
    };

    beforeAll(async () => {
      cpSync(join(__dirname, "../fixtures/uv-project"), join(project.folder, "locked"), { recursive: true });
      project.write("locked/docker", dockerStandIn({ packages: "/home/ubuntu/image" }), 0o755);
      project.write("locked/probe.py", probe);
      configure("two", { command: command("5"), nodes: 2 }, {});
      await project.init();
      cloud = await TestCloud.start(project);
      Object.assign(project.env, { LAMBDA_API_KEY: cloud.apiKey, HF_TOKEN: secret });
      configure("two", { command: command("5"), nodes: 2 }, {});
      expect(await project.fails("up", ["--yes"])).toContain("environment.image needs Docker");
      for (const name of both)
        await on(
          name,
          "install -D locked/docker ~/.local/bin/docker; mkdir image; echo 'WHERE = 1' > image/only_here.py",
        );
    }, 240_000);
    afterAll(() => project.dispose());

    it("train together with the secrets, and run a job on rank 1", async () => {
      await project.succeeds("up", ["--yes"]);
      await project.succeeds("exec", ["--rank", "1", "-d", "beside", "--", "python3", "probe.py", "1"]);
      expect(await project.succeeds("wait")).toContain("two: finished");
      await project.succeeds("wait", ["--run", "beside"]);
      expect(await project.succeeds("logs", ["--run", "beside"])).toContain(
        `/home/ubuntu/lambda-train/jobs/beside/locked yes ${secret.length} letters`,
      );
      await nothingLeft();
    });

    it("train the trials of a sweep with the secrets", async () => {
      const sweep = { grid: { seconds: [0, 1, 2, 3] }, metric: "loss" };
      configure("swept", { command: command("{seconds}") }, { sweep }, { instances: 2 });
      await project.succeeds("up", ["--yes"]);
      await project.succeeds("wait");
      expect((await trialsOf(project)).map(({ state }) => state)).toEqual(Array(4).fill("complete"));
      await nothingLeft();
      await project.succeeds("down", ["--yes", "--keep-cloud"]);
      const variables = JSON.parse(project.read("results/test/swept-t3/variables.json"));
      expect(variables).toMatchObject({ IS_IMAGE: "yes" });
      expect(await cloud.inventory()).toEqual(nothing);
    });
  });
});
