import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bringHome, type ResultsPlace } from "../../remote/results";
import { recordHead } from "../../remote/transfer/results-file";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

/** What the record of results at home tells of what ran, through the real agent. */
describe("the record of results", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "lambda-train-record-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const place = ({ run }: Pick<ResultsPlace, "run">): ResultsPlace => ({
    instanceId: "i-1",
    access: host.sshd.access,
    run,
    workspace: "work",
    directory,
  });
  const home = (plan: Pick<ResultsPlace, "run">, dated = ""): string =>
    join(directory, `${plan.run.experiment}${dated}`);
  const workload = {
    name: "work",
    folder: "/nowhere",
    source: "https://user:token@git.example/me/ink.git",
    commit: "c".repeat(40),
    ref: "main",
    extraFiles: {},
    protectedPaths: [],
    hash: "w".repeat(64),
  };

  it("tells where everything came from, the config as it was read, each start, and no secret", async () => {
    await mkdir(host.home("work/configs"));
    await writeFile(host.home("work/configs/a.yaml"), "lr: 0.1\nepochs: 2\n");
    const url = "https://key:secret@data.example/set.zip?signature=secret";
    const plan = runs.plan("mkdir -p outputs/o; echo x > outputs/o/a; echo step 1; exit 3", {
      workload,
      dataset: { source: { kind: "url", url }, target: "data", splits: [], hash: "d1" },
      config: { path: "configs/a.yaml", base: "configs/base.yaml", overrides: '{"lr":0.1}' },
      evaluation: { command: "evaluate it", checkpoint: "*.pt", metrics: "*.json", timeoutSeconds: 5 },
      run: { variables: { WANDB_API_KEY: "hush-hush" } },
    });
    await runs.start(plan);
    await runs.until(plan, "failed");
    await runs.start(plan);
    await runs.until(plan, ({ state, attempt }) => state === "failed" && attempt === 2);
    // What the workspace holds by now is not what ran.
    await writeFile(host.home("work/configs/a.yaml"), "lr: 9\n");
    await bringHome(place(plan), {});
    const ran = recordHead(home(plan))?.run;
    expect(ran).toMatchObject({
      experiment: plan.run.experiment,
      attempt: 2,
      hash: plan.run.hash,
      release: expect.stringMatching(/^\d+\.\d+\.\d+/),
      workload: { source: "https://git.example/me/ink.git", commit: "c".repeat(40), ref: "main", hash: "w".repeat(64) },
      dataset: { source: "https://data.example/set.zip", hash: "d1" },
      environment: { manager: "none", hash: "e1" },
      config: {
        path: "configs/a.yaml",
        base: "configs/base.yaml",
        overrides: '{"lr":0.1}',
        text: "lr: 0.1\nepochs: 2\n",
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      command: plan.run.command,
      evaluation: "evaluate it",
      variables: ["WANDB_API_KEY"],
      attempts: [
        { number: 1, exitCode: 3, commit: "c".repeat(40), startedAt: expect.any(String), endedAt: expect.any(String) },
        { number: 2, exitCode: 3 },
      ],
    });
    const text = readFileSync(join(home(plan), "manifest.json"), "utf8");
    for (const secret of ["hush-hush", "token", "secret"]) expect(text).not.toContain(secret);
  });

  it("stays with the results that it is of, where other code runs after them", async () => {
    const plan = runs.plan("mkdir -p outputs/o; echo $RANDOM > outputs/o/a; echo step 1", { workload });
    await runs.start(plan);
    await runs.until(plan, "finished");
    const next = {
      ...plan,
      workload: { ...workload, commit: "d".repeat(40), hash: "x" },
      run: { ...plan.run, hash: "r2" },
    };
    expect(await runs.start(next)).toMatchObject({ code: 0 });
    await runs.until(next, ({ state, attempt }) => state === "finished" && attempt === 2);
    await bringHome(place(next), {});
    const folders = readdirSync(directory).filter((name) => !name.startsWith("."));
    const commits = folders.map((name) => recordHead(join(directory, name))?.run?.workload?.commit);
    expect(commits.sort()).toEqual(["c".repeat(40), "d".repeat(40)]);
  });

  it("of a run that an earlier release started tells its starts alone", async () => {
    const plan = runs.plan("mkdir -p outputs/o; echo x > outputs/o/a; echo step 1");
    await runs.start(plan);
    await runs.until(plan, "finished");
    await runs.setFact(plan, "provenance", undefined);
    await bringHome(place(plan), {});
    const ran = recordHead(home(plan))?.run;
    expect(ran).toMatchObject({ attempt: 1, attempts: [{ number: 1, exitCode: 0 }] });
    expect(ran?.workload).toBeUndefined();
  });
});
