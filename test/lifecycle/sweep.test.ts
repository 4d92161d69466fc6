import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseLedger } from "../../lambda/billing/ledger";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";
import { trialsOf } from "../support/trials";

/** The error that training for so many steps comes to; the more steps, the less. */
const sweepOf = (steps: readonly number[], stack: object = {}): TinyChanges => ({
  experiment: "swept",
  overrides: { seconds_per_step: 0.05 },
  sweep: { grid: { steps }, metric: "error" },
  stack: { instances: 2, ...stack },
});

/** A trial or an evaluation without the secret fails. */
const withSecret: TinyChanges = {
  environment: { secrets: ["HF_TOKEN"] },
  train: { command: 'test -n "$HF_TOKEN" && exec make train CONFIG={config} EXPERIMENT={experiment}' },
  evaluate: { command: 'test -n "$HF_TOKEN" && make evaluate MODEL={checkpoint}' },
};

describe("a sweep on two machines", { timeout: 240_000 }, () => {
  const project = new Project();
  const results = join(project.folder, "results", "test");
  let cloud: TestCloud;

  beforeAll(async () => {
    project.env.HF_TOKEN = "hf_of-the-sweep";
    cloud = await startTinyStack(project, { ...sweepOf([10, 20, 30, 40]), ...withSecret });
    await project.succeeds("up");
  }, 240_000);
  afterAll(() => project.dispose());

  it("trains each value once, and tells what each came to", async () => {
    expect((await cloud.inventory()).instances).toHaveLength(2);
    expect(await project.outputs()).toMatchObject({
      experiment: "swept",
      runStatus: { machine: "running", "machine-2": "running" },
      resultsDirectory: "results/test",
    });
    await project.succeeds("wait");
    const trials = await trialsOf(project);
    expect(trials.map(({ params, state }) => [params.steps, state])).toEqual([
      [10, "complete"],
      [20, "complete"],
      [30, "complete"],
      [40, "complete"],
    ]);
    const values = trials.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => b - a));
    expect(new Set(trials.map(({ machine }) => machine))).toEqual(new Set(["machine", "machine-2"]));
    const status = await project.succeeds("status");
    expect(status).toMatch(/best +trial 3: error [\d.e-]+ {2}steps=40/);
    // A worker's log tells of many trials: no figure of one of them is the worker's.
    expect(status).not.toMatch(/^progress/m);
    const secrets = ["--machine", "machine-2", "--", "ls", ".lambda-train/secrets"];
    await expect.poll(() => project.succeeds("ssh", secrets), { timeout: 20_000 }).toBe("");
  });

  it("brings each trial's results home: by a watch those that have ended", async () => {
    const { code, output } = await project.run("watch");
    expect([code, output]).toEqual([
      11,
      expect.stringMatching(/swept-t0: \d+ files, .* verified in results\/test\/swept-t0/),
    ]);
    for (const number of [0, 1, 2, 3]) expect(output).toContain(`verified in results/test/swept-t${number}`);
    await project.succeeds("results");
    for (const number of [0, 1, 2, 3]) {
      const folder = join(results, `swept-t${number}`);
      expect(await verifyResults(folder)).toMatchObject({ ok: true });
      expect(existsSync(join(folder, "checkpoints/best_model.pt"))).toBe(true);
    }
    expect(await project.succeeds("logs", ["--run", "swept-t3", "--no-follow"])).toContain("step 40 loss");
    const all = await project.succeeds("logs", ["--all", "--no-follow"]);
    expect(all).toMatch(/^machine {3}\| worker of swept on machine: 1 trial at a time/m);
    expect(all).toMatch(/^machine-2 \| trial \d finished: error=/m);
  });

  it("is watched over one connection, its study too", async () => {
    const logins = async (): Promise<number> =>
      Number(
        await project.succeeds("exec", [
          "--machine",
          "machine",
          "bash",
          "-c",
          "sudo grep -c Accepted /var/log/auth.log",
        ]),
      );
    const before = await logins();
    const { child, ended } = project.start(process.execPath, ["dist/cli/status.js", "--watch", "1"]);
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said.match(/4 complete/g)?.length ?? 0, { timeout: 60_000 }).toBeGreaterThan(5);
    child.kill("SIGTERM");
    await ended;
    // The watch, and this look.
    expect((await logins()) - before).toBe(2);
  });

  it("trains the values alone that are added", async () => {
    configureTiny(project, { ...sweepOf([10, 20, 30, 40, 50, 60]), ...withSecret });
    await project.succeeds("up");
    await project.succeeds("wait");
    const trials = await trialsOf(project);
    expect(trials.map(({ params, state, attempt }) => [params.steps, state, attempt])).toEqual(
      [10, 20, 30, 40, 50, 60].map((steps) => [steps, "complete", 1]),
    );
  });

  it("runs commands and jobs on a machine that is chosen, also beside a trial", async () => {
    const names =
      "machine machine, run run; machine machine-2, run run-2. Choose one with --machine NAME or --run NAME.";
    for (const words of [
      ["exec", "true"],
      ["exec", "--sync", "true"],
      ["exec", "-d", "job", "true"],
      ["dev", "true"],
    ]) {
      const [command = "", ...args] = words;
      expect(await project.fails(command, args)).toContain(`Stack test has several runs: ${names}`);
    }
    const on = ["--machine", "machine-2"];
    const written = `pwd; echo \${#HF_TOKEN} letters; mkdir -p outputs/tried; echo tried > outputs/tried/result.txt`;
    const synced = await project.succeeds("exec", [...on, "--sync", "--", "sh", "-c", written]);
    expect(synced).toContain("/home/ubuntu/lambda-train/dev/tiny\n15 letters");
    const job = (name: string, then = "sleep 1000"): string[] => {
      // It says nothing, and so is taken for starting.
      const write = `mkdir -p outputs/${name}; echo "\${#HF_TOKEN} letters" > outputs/${name}/said; ${then}`;
      return ["-d", name, "--", "sh", "-c", write];
    };
    expect(await project.succeeds("exec", [...on, ...job("probe")])).toContain("runs on machine-2, beside swept.");
    expect(await project.fails("exec", ["--machine", "machine", ...job("probe")])).toContain(
      "probe is a job on machine-2. Give the job another name.",
    );
    expect(await project.fails("exec", [...on, ...job("swept-t9")])).toContain(
      "swept-t9 is the name of a trial of swept",
    );
    const [first] = await trialsOf(project);
    expect(await project.succeeds("exec", ["--run", "swept-t0", ...job("beside-a-trial", "true")])).toContain(
      `runs on ${first?.machine}, beside swept-t0.`,
    );
    await project.succeeds("wait", ["--run", "beside-a-trial"]);
    const status = await project.succeeds("status");
    expect(status).toMatch(/^(?:jobs)? +probe +starting/m);
    expect(status).toMatch(/^(?:jobs)? +beside-a-trial +finished +exit status 0/m);
    await project.succeeds("results", ["--run", "beside-a-trial"]);
    expect(project.read("results/test/beside-a-trial/said")).toBe("15 letters\n");
  });

  it("goes with all of its results at home, and each trial in the ledger", async () => {
    const down = await project.succeeds("down", ["--keep-cloud"]);
    expect(down).toMatch(/probe: \d+ files?, .* verified in results\/test\/probe/);
    expect(project.read("results/test/probe/said")).toBe("15 letters\n");
    const tried = "beside/home/lambda-train/dev/tiny/outputs/tried/result.txt";
    expect(project.read(`results/test/worker.2/swept/${tried}`)).toBe("tried\n");
    expect(await cloud.inventory()).toEqual(nothing);
    const names = [0, 1, 2, 3, 4, 5].map((number) => `swept-t${number}`);
    expect(readdirSync(results)).toEqual(expect.arrayContaining([...names, "swept"]));
    const { bills } = parseLedger(join(results, "ledger.jsonl"));
    const billed = bills.flatMap(({ runs }) => runs.map(({ experiment, outcome }) => [experiment, outcome]));
    const jobs = [
      ["beside-a-trial", "finished"],
      ["probe", "stopped"],
    ];
    expect(billed.sort()).toEqual([...jobs, ...names.map((name) => [name, "finished"])]);
    expect(existsSync(join(results, "swept/study/journal.log"))).toBe(true);
  });
});

inFleetSuite(() => {
  describe("a sweep that grows and shrinks", { timeout: 240_000 }, () => {
    const project = new Project();
    let cloud: TestCloud;
    const on = (instances: number | undefined): TinyChanges => ({
      ...sweepOf([60, 61, 62, 63, 64, 65], { instances }),
      overrides: { seconds_per_step: 0.1 },
    });

    beforeAll(async () => {
      cloud = await startTinyStack(project, on(undefined));
      await project.succeeds("up");
    }, 240_000);
    afterAll(() => project.dispose());

    it("has more workers on the queue that runs, beside the machine that stays", async () => {
      const [first] = (await cloud.inventory()).instances;
      configureTiny(project, on(2));
      await project.succeeds("up");
      const { instances } = await cloud.inventory();
      expect([instances.length, instances[0]]).toEqual([2, first]);
      await project.succeeds("wait");
      const trials = await trialsOf(project);
      expect(trials.map(({ state, attempt }) => [state, attempt])).toEqual(
        Array.from({ length: 6 }, () => ["complete", 1]),
      );
      expect(new Set(trials.map(({ machine }) => machine))).toEqual(new Set(["machine", "machine-2"]));
    });

    it("brings home what a machine has that leaves, and keeps the other", async () => {
      const [first] = (await cloud.inventory()).instances;
      const left = (await trialsOf(project)).filter(({ machine }) => machine === "machine-2");
      configureTiny(project, on(undefined));
      await project.succeeds("up");
      expect((await cloud.inventory()).instances).toEqual([first]);
      for (const { number } of left)
        expect(await verifyResults(join(project.folder, "results/test", `swept-t${number}`))).toMatchObject({
          ok: true,
        });
      expect(await project.succeeds("status")).toContain("6 trials: 6 complete");
      await project.succeeds("down", ["--keep-cloud"]);
      expect(await cloud.inventory()).toEqual(nothing);
    });
  });
});

describe("a search", { timeout: 240_000 }, () => {
  const project = new Project();
  afterAll(() => project.dispose());

  it("tries the same values for the same configuration and seed, and prunes what does worse", async () => {
    const searched = (experiment: string): TinyChanges => ({
      experiment,
      overrides: { seconds_per_step: 0.02 },
      sweep: {
        search: { steps: { low: 5, high: 60, int: true } },
        ...{ sampler: "random", trials: 4, seed: 3, metric: "loss", prune: { by: "median", startupTrials: 1 } },
      },
    });
    const tried: unknown[] = [];
    await startTinyStack(project, searched("search-a"));
    for (const experiment of ["search-a", "search-b"]) {
      configureTiny(project, searched(experiment));
      await project.succeeds("up");
      await project.succeeds("wait");
      const trials = await trialsOf(project);
      expect(trials.every(({ state }) => state === "complete" || state === "pruned")).toBe(true);
      tried.push(trials.map(({ params }) => params.steps));
    }
    expect(tried[0]).toHaveLength(4);
    expect(tried[1]).toEqual(tried[0]);
  });
});
