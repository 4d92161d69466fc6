import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseLedger } from "../../lambda/billing/ledger";
import { verifyResults } from "../../remote/transfer/download";
import { recordHead } from "../../remote/transfer/results-file";
import { TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { HubServer } from "../support/hub-server";
import { Project } from "../support/project";
import { bringS3Tools, S3Server } from "../support/s3-server";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";
import { trialsOf } from "../support/trials";

/** Against a real S3 server. Each test goes on from where the one before ended. */
describe("buckets", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let s3: S3Server;
  let hub: HubServer;
  let changes: TinyChanges;

  const home = (name: string, path = ""): string => join(project.folder, "results/test", name, path);
  const inBucket = (): string[] => s3.rclone("lsf", "-R", "--files-only", "s3:runs").trim().split("\n");
  const shown = async (script: string): Promise<string> => (await project.run("ssh", ["--", script])).output;
  const status = async (keys: Readonly<Record<string, string>>): Promise<string> =>
    (await project.run("status", [], keys)).output;
  /** The runs of each bill. */
  const billed = () => parseLedger(join(project.folder, "results/test/ledger.jsonl")).bills.map(({ runs }) => runs);
  const inventory = async (): Promise<string[]> => (await cloud.inventory()).instances;

  const startCloud = async (): Promise<void> => {
    cloud = await TestCloud.start(project);
    for (const { url } of [s3, hub]) await cloud.letReach(url);
  };

  beforeAll(async () => {
    await bringS3Tools();
    s3 = await S3Server.start();
    hub = await HubServer.start({
      "README.md": "about it",
      "lines/train/a b.bin": "[1, 3]\n[2, 6]\n",
      "lines/valid/x.jsonl": "[3, 9]",
      "lines/test/x.jsonl": "[3, 9]",
    });
    for (const name of [...Object.keys(s3.keys), "HF_TOKEN"]) delete project.env[name];
    project.env.PATH = `${s3.programs}:${project.env.PATH}`;
    changes = {
      dataset: { source: "s3://models/sets/lines" },
      environment: { secrets: Object.keys(s3.keys), variables: { AWS_ENDPOINT_URL: s3.url } },
      train: { waitFor: "end", resume: "auto", whenDone: "down" },
      overrides: { steps: 10 },
      checkpoints: { sync: "bucket", everyMinutes: 0.01 },
      results: { bucket: "s3://models/runs", home: "bucket" },
    };
    await startTinyStack(project, changes);
    await startCloud();
    s3.rclone("copy", join(project.folder, "tiny-data"), "s3:sets/lines");
    // Where the S3 server isn't here yet, Go builds it first.
  }, 900_000);
  afterAll(async () => {
    await project.dispose();
    await s3.dispose();
    hub.stop();
  });

  it("give a run its dataset, and hold its results when it has ended", async () => {
    const output = await project.succeeds("up", [], s3.keys);
    expect(await shown("cat ~/tiny/data/test/*.jsonl | head -n 1")).toContain("[11, 33]");
    const ends = (): boolean =>
      inBucket().some((path) => path.endsWith("Z-manifest.json") || /\/manifest\.json$/.test(path));
    await expect.poll(ends, { timeout: 60_000, interval: 500 }).toBe(true);
    expect(inBucket().join("\n")).toMatch(/^test\/tiny-v1\/\d{8}T\d{6}Z-[0-9a-f]{12}\/checkpoints\/best_model\.pt$/m);
    await expect.poll(() => shown("ls ~/.lambda-train/secrets"), { timeout: 20_000 }).toBe("");
    const { AWS_SECRET_ACCESS_KEY: secret } = s3.keys;
    for (const text of [output, project.stateText(), await shown("grep -rsF 'of+the-tests' ~ | head -c 300")])
      expect(text).not.toContain(secret);
  });

  it("keep an instance whose results they don't hold, and let it go without a download once they do", async () => {
    await s3.stop();
    const refused = await project.fails("down", ["--keep-cloud"], s3.keys);
    expect(refused).toContain("Couldn't put the results of tiny-v1 into s3://models/runs/test/tiny-v1");
    expect(await inventory()).toHaveLength(1);
    await s3.resume();
    const [path = ""] = inBucket().filter((each) => each.endsWith("best_model.pt"));
    s3.rclone("copyto", "--ignore-times", join(project.folder, "README.md"), `s3:runs/${path}`);
    // As `down` does, since all runs have ended.
    const done = await project.succeeds("watch", [], s3.keys);
    expect(done).toMatch(/tiny-v1: \d+ files, [\d.]+ MB verified in s3:\/\/models\/runs\/test\/tiny-v1\/\d/);
    expect(billed()).toMatchObject([[{ experiment: "tiny-v1", outcome: "finished", metrics: { step: 10 } }]]);
    // With its last instance it ended the cloud as well.
    await startCloud();
    expect(await inventory()).toEqual([]);
    expect(existsSync(home("tiny-v1"))).toBe(false);
  });

  it("give the results after the instance is gone, checked by their manifest", async () => {
    const output = await project.succeeds("results", ["--from-bucket"], s3.keys);
    expect(output).toMatch(/files, [\d.]+ MB verified in results\/test\/tiny-v1, from s3:/);
    expect(await verifyResults(home("tiny-v1"))).toMatchObject({ ok: true });
    expect(readFileSync(home("tiny-v1", "run/train.log"), "utf8")).toContain("step 10 loss");
    expect(recordHead(home("tiny-v1"))?.run).toMatchObject({ experiment: "tiny-v1", attempt: 1 });
    const [path = ""] = inBucket().filter((each) => each.endsWith("train.log"));
    s3.rclone("copyto", "--ignore-times", join(project.folder, "README.md"), `s3:runs/${path}`);
    project.write("results/test/tiny-v1/mine.txt", "of the user");
    project.write("results/test/tiny-v1/run/train.log", "changed here");
    const refused = await project.fails("results", ["--from-bucket"], s3.keys);
    expect(refused).toMatch(/aren't as their manifest has them \(SHA-256\): run\/train\.log has changed/);
    expect(readFileSync(home("tiny-v1", "mine.txt"), "utf8")).toBe("of the user");
  });

  it("give a run its newest checkpoint on another instance, which ends itself once they hold the results; the dataset is a hub's", async () => {
    const slow = { steps: 40, seconds_per_step: 0.2 };
    const stack = { selfTerminate: true, selfTerminateAfterMinutes: 0.05 };
    configureTiny(project, {
      ...changes,
      experiment: "lost",
      dataset: { source: "hf://datasets/lines/tiny@refs%2Fpr%2F1/lines", token: "HF_TOKEN" },
      environment: {
        secrets: [...Object.keys(s3.keys), "HF_TOKEN"],
        variables: { AWS_ENDPOINT_URL: s3.url, HF_ENDPOINT: hub.url },
      },
      train: { resume: "auto" },
      overrides: slow,
      stack,
    });
    const keys = { ...s3.keys, HF_TOKEN: hub.token };
    const { key } = await cloud.admin.addKey("instance");
    await project.pulumi(["config", "set", "--secret", "selfTerminateApiKey", key]);
    await project.succeeds("up", [], keys);
    expect(await shown("cd ~/tiny/data; find . -type f | sort; cat test/x.jsonl")).toBe(
      "./test/x.jsonl\n./train/a b.bin\n./valid/x.jsonl\n[3, 9]",
    );
    expect(hub.asked.filter((each) => each.startsWith("false"))).toEqual([]);
    const copied = (): boolean => inBucket().some((path) => /lost\/checkpoints\/.*\/snapshot\.json$/.test(path));
    await expect.poll(copied, { timeout: 60_000, interval: 500 }).toBe(true);
    const [id = ""] = await inventory();
    await cloud.admin.terminate(id);
    const output = await project.succeeds("up", [], keys);
    expect(output).toMatch(
      /lost goes on as attempt 2: put back .* from s3:\/\/models\/runs\/test\/lost\/checkpoints\//,
    );
    expect(Number((await shown("tail -n 1 ~/starts")).trim())).toBeGreaterThan(0);
    await expect.poll(inventory, { timeout: 90_000, interval: 1000 }).toEqual([]);
    // The instance is gone, and nothing is here.
    expect(await status(s3.keys)).toMatch(/metrics .*error[\s\S]*results +s3:\/\/models\/runs\/test\/lost\/\d/);
    const down = await project.succeeds("down", ["--keep-cloud"], s3.keys);
    expect(down).toMatch(/lost: \d+ files, [\d.]+ MB verified in s3:\/\/models\/runs\/test\/lost\/\d/);
    expect(billed().at(-1)).toMatchObject([
      {
        experiment: "lost",
        outcome: "finished",
        metrics: { error: expect.any(Number) },
        results: expect.stringMatching(/^s3:/),
      },
    ]);
    expect(await project.succeeds("results", ["--from-bucket"], s3.keys)).toContain("verified in results/test/lost");
    expect(readFileSync(home("lost", "run/train.log"), "utf8")).toContain("step 40 loss");
  });

  it("hold a sweep's trials: of a lost machine, what they hold isn't trained again, and the rest goes on from there", async () => {
    configureTiny(project, {
      ...changes,
      experiment: "swept",
      train: { resume: "auto" },
      overrides: { seconds_per_step: 0.1 },
      // The first machine is at the first one, while the other has had the second, and is at the third.
      sweep: { grid: { steps: [80, 10, 70] }, metric: "error" },
      stack: { instances: 2 },
    });
    await project.succeeds("up", [], s3.keys);
    const held = (name: string): boolean => inBucket().some((path) => path.startsWith(`test/${name}`));
    const isReached = (): boolean =>
      inBucket().some((path) => /swept-t1\/.*\/manifest\.json$/.test(path)) && held("swept-t2/checkpoints/");
    await expect.poll(isReached, { timeout: 60_000, interval: 300 }).toBe(true);
    const { machine } = (await trialsOf(project))[2] ?? {};
    const { instanceId } = (await project.outputs()) as { instanceId: Record<string, string> };
    await cloud.admin.terminate(instanceId[machine ?? ""] ?? "");
    await project.succeeds("up", [], s3.keys);
    await project.succeeds("wait");
    const trials = await trialsOf(project);
    expect(trials.map(({ state, attempt }) => [state, attempt])).toEqual([
      ["complete", 1],
      ["complete", 1],
      ["complete", 2],
    ]);
    const log = await project.succeeds("logs", ["--all", "--no-follow"]);
    expect(log).toMatch(/swept-t2 goes on from .*, from s3:\/\/models\/runs\/test\/swept-t2\/checkpoints\//);
    const down = await project.succeeds("down", ["--keep-cloud"], s3.keys);
    for (const name of ["swept-t0", "swept-t2"])
      expect(down).toMatch(new RegExp(`${name}: \\d+ files, .* verified in s3://models/runs/test/${name}/`));
    expect(await inventory()).toEqual([]);
    expect(existsSync(home("swept-t2"))).toBe(false);
    await project.succeeds("results", ["--from-bucket"], s3.keys);
    for (const { number, params, value } of trials) {
      expect(await verifyResults(home(`swept-t${number}`))).toMatchObject({ ok: true });
      const text = readFileSync(home(`swept-t${number}`, "metrics/evaluation.json"), "utf8");
      expect(JSON.parse(text)).toMatchObject({ step: params.steps, error: value });
    }
    // With it a later `up` knows all trials.
    expect(existsSync(home("swept", "study/journal.log"))).toBe(true);
  });

  inFleetSuite(() => {
    it("hold what each rank of a training on two machines has left, of which one is lost", async () => {
      configureTiny(project, {
        ...changes,
        experiment: "ranks",
        train: { resume: "auto", nodes: 2 },
        overrides: { steps: 200, seconds_per_step: 0.2 },
      });
      await project.succeeds("up", [], s3.keys);
      const isCopied = (): boolean =>
        inBucket().some((path) => /^test\/ranks\/checkpoints\/.*snapshot\.json$/.test(path));
      await expect.poll(isCopied, { timeout: 60_000, interval: 500 }).toBe(true);
      const { instanceId } = (await project.outputs()) as { instanceId: Record<string, string> };
      await cloud.admin.terminate(instanceId.machine ?? "");
      const output = await project.succeeds("up", [], s3.keys);
      expect(output).toMatch(
        /ranks goes on as attempt 2: put back .* from s3:\/\/models\/runs\/test\/ranks\/checkpoints\//,
      );
      await project.succeeds("wait");
      const down = await project.succeeds("down", ["--keep-cloud"], s3.keys);
      for (const place of ["ranks", "rank.1/ranks"]) expect(down).toContain(` in s3://models/runs/test/${place}/`);
      expect(await inventory()).toEqual([]);
      await project.succeeds("results", ["--from-bucket"], s3.keys);
      for (const place of ["ranks", "rank.1/ranks"])
        expect(await verifyResults(home(place))).toMatchObject({ ok: true });
      expect(readFileSync(home("ranks", "run/train.log"), "utf8")).toContain("step 200 loss");
    });
  });
});
