import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** Says which code it is, and writes that among the outputs. */
const probe = (version: number): string =>
  `import os, pathlib, time
pathlib.Path("outputs/probe").mkdir(parents=True, exist_ok=True)
pathlib.Path("outputs/probe/version.txt").write_text("${version}")
lines = sum(1 for path in pathlib.Path("data/train").iterdir() for _ in path.open())
print("version ${version} in", os.getcwd(), "reads", lines, "lines on", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
print("a token of", len(os.environ["HF_TOKEN"]), "letters", flush=True)
pathlib.Path.home().joinpath("probe.pid").write_text(str(os.getpid()))
time.sleep(float(os.environ.get("PROBE_SECONDS", "0")))
`;

/** Each test goes on from where the one before ended; training goes on under all of them. */
describe("changed code beside a run", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const home = (...names: string[]): string => join(project.folder, "results/test", ...names);
  const there = (script: string): Promise<string> => project.succeeds("ssh", ["--", script]);
  const detach = (name: string, ...words: string[]): string[] => ["--detach", name, "--gpus", "1", "--", ...words];

  const hashes = "cd tiny && find . -name outputs -prune -o -type f -print0 | sort -z | xargs -0 sha256sum";

  beforeAll(async () => {
    project.env.HF_TOKEN = "hf_of-this-test";
    const environment = { secrets: ["HF_TOKEN"] };
    cloud = await startTinyStack(project, { environment, overrides: { steps: 5000, seconds_per_step: 0.2 } });
    await project.succeeds("up");
  }, 180_000);
  afterAll(() => project.dispose());

  it("goes to a copy of the workspace, of which the run sees nothing", async () => {
    const before = await there(hashes);
    project.write("tiny/probe.py", probe(1));
    const output = await project.succeeds("exec", ["--sync", "--", "python3", "probe.py"]);
    expect(output).toContain("~/lambda-train/dev/tiny: sent 1 file");
    expect(output).toContain("version 1 in /home/ubuntu/lambda-train/dev/tiny reads 5 lines on None");
    expect(output).toContain("a token of 15 letters");
    const again = await project.succeeds("exec", ["--sync", "--gpus", "0,2", "--", "python3", "probe.py"]);
    expect(again).toContain("no file has changed");
    expect(again).toContain("on 0,2");
    expect(await there(hashes)).toBe(before);
    expect((await project.run("exec", ["--sync", "--home", "--", "true"])).code).toBe(2);
  });

  it("runs as a job that goes on without this machine, seen by status, logs, results and stop", async () => {
    expect(await project.fails("exec", detach("tiny-v1", "true"))).toContain("tiny-v1 is a run of stack test");
    expect(await project.fails("exec", detach("no/name", "true"))).toContain("can't name a job");
    const words = detach("ablation", "env", "PROBE_SECONDS=1000", "python3", "probe.py");
    expect(await project.succeeds("exec", words)).toMatch(
      /sent 1 file[\s\S]*ablation runs on the instance, beside tiny-v1/,
    );
    await expect
      .poll(() => project.succeeds("logs", ["--run", "ablation", "--no-follow"]), { timeout: 20_000 })
      .toMatch(/on 1\na token of 15 letters/);
    expect(await project.succeeds("exec", words)).toContain("was started before");
    project.write("tiny/probe.py", probe(2));
    expect(await project.fails("exec", words)).toContain("There is a run or job ablation on the instance already");
    expect(await project.succeeds("status")).toMatch(/run +tiny-v1 +running[\s\S]*jobs +ablation +running/);
    expect(await project.succeeds("stop", ["--run", "ablation"])).toContain("ablation: stopped");
    expect(await project.run("wait", ["--run", "ablation"])).toMatchObject({ code: 1 });
    expect(await project.succeeds("results")).toContain("results/test/ablation (run: stopped)");
    expect(readFileSync(home("ablation", "probe/version.txt"), "utf8")).toBe("1");
    expect(await project.succeeds("status")).toMatch(
      /run +tiny-v1 +running[\s\S]*jobs +ablation +stopped +exit status/,
    );
  });

  it("starts again at each save, also after a lost connection, and ends with the command that brings it", async () => {
    const words = ["--", "env", "PROBE_SECONDS=1000", "python3", "probe.py"];
    const { child, ended } = project.start(process.execPath, ["dist/cli/dev.js", ...words]);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += String(chunk)));
    const told = (text: string | RegExp) => expect.poll(() => output, { timeout: 20_000 }).toMatch(text);
    await told("version 2 in /home/ubuntu/lambda-train/dev/tiny");
    project.write("tiny/probe.py", probe(3));
    await told(/sent 1 file.*\n.*version 3/);
    project.write("tiny/new/deep/__init__.py", "");
    await told(/sent 1 file.*\n.*version 3[\s\S]*sent 1 file.*\n.*version 3/);
    await there("kill -9 $(ps -o ppid= -p $(cat probe.pid))");
    await told(/Trying again in 1 s[\s\S]*no file has changed.*\n.*version 3/);
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    expect(await there("pgrep -fc 'python3 probe[.]py'; true")).toBe("0\n");
  });

  it("keeps the dataset that a job reads, also when the run has ended", async () => {
    const words = ["bash", "-c", "mkdir -p outputs/late; sleep 0.5; echo late > outputs/late/result.txt; sleep 1000"];
    await project.succeeds("exec", ["-d", "late", "--", ...words]);
    await there("until test -s lambda-train/jobs/late/tiny/outputs/late/result.txt; do sleep 0.2; done");
    await project.succeeds("stop");
    project.write("tiny-data/train/more.jsonl", "[20, 60]\n");
    const output = await project.succeeds("up");
    expect(output).toMatch(/Running beside the ended run: late\. So these changes wait: the code, the dataset\./);
    expect(await there("ls tiny/data/train")).toBe("a b.jsonl\n");
  });

  it("loses nothing at `down`, which ends a job that goes on", async () => {
    const output = await project.succeeds("down", ["--keep-cloud"]);
    expect(output).toMatch(/late: \d+ files?, .* verified in results\/test\/late/);
    expect(readFileSync(home("late", "result.txt"), "utf8")).toBe("late\n");
    const dev = "beside/home/lambda-train/dev/tiny/outputs/probe/version.txt";
    expect(readFileSync(home("tiny-v1", dev), "utf8")).toBe("3");
    expect(existsSync(home("tiny-v1", "beside/home/lambda-train/jobs"))).toBe(false);
    expect(await cloud.inventory()).toMatchObject({ instances: [] });
  });
});
