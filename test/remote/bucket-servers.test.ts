import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { lookIntoBuckets, notedInBucket } from "../../cli/stack/in-bucket";
import type { AccountLook } from "../../cli/stack/look";
import { hasEndedAtHome } from "../../cli/stack/losses";
import { type JobView, jobsOf, type StackView } from "../../cli/stack/stack-view";
import { packageFolder } from "../../local/paths";
import type { BucketPlace } from "../../plan/types";
import { downloadFromBucket } from "../../remote/bucket/at-home";
import { leftInBucket } from "../../remote/bucket/left";
import { lookInBucket } from "../../remote/bucket/look";
import { runsInBucket } from "../../remote/bucket/runs";
import { verifyResults } from "../../remote/transfer/download";
import { inFleetSuite } from "../support/fleet-suite";
import { bringGcsServer, GcsServer } from "../support/gcs-server";
import { bringS3Tools, rcloneFolder, S3Server } from "../support/s3-server";

/** Puts a folder of results into a bucket as an instance does, and looks at all that the agent asks of a bucket. */
const agentPuts = `
import json, os, sys
sys.path.insert(0, sys.argv[1])
from bucket.bucket import Bucket
from results.in_bucket import entries_of, put_manifest
from unittest import mock
told, keys, folder, start, source, ran = json.load(sys.stdin)
bucket = Bucket(told, keys)
bucket.reach()
names = ["best_model.pt", "metrics/evaluation.json", "a b/ünï.txt"]
entries, files = entries_of({name: os.path.join(folder, name) for name in names})
bucket.send(folder, start)
bucket.require_same(files, start)
run = mock.Mock(path=lambda name: os.path.join(folder, "..", name))
with mock.patch("results.in_bucket.record_of", return_value=ran):
    put_manifest(bucket, start, run, source, entries)
assert start in bucket.folders(), bucket.folders()
assert bucket.sha256(start, "best_model.pt") == files["best_model.pt"][2]
assert json.loads(bucket.text(start, "metrics/evaluation.json"))["error"] == 0.25
assert bucket.text(start, "none") is None
bucket.fetch(os.path.join(folder, "..", "back"), start)
bucket.send_file(os.path.join(folder, "best_model.pt"), "gone", "x")
bucket.remove("gone")
assert "gone" not in bucket.folders()
assert open(os.path.join(folder, "..", "back", "best_model.pt")).read() == open(os.path.join(folder, "best_model.pt")).read()
`;

const root = mkdtempSync(join(tmpdir(), "lambda-train-buckets-"));
const quiet = { progress: () => {}, status: () => {} };
const ended = { number: 1, exitCode: 0 };
let count = 0;

/** Results of a run, put there by the agent. This process must answer meanwhile. */
async function put(
  place: BucketPlace,
  keys: object,
  start: string,
  source: string,
  ran: object | null = null,
): Promise<void> {
  const folder = join(root, `results-${++count}`, "own");
  for (const [path, text] of Object.entries({
    "best_model.pt": `weights ${count}`,
    "metrics/evaluation.json": JSON.stringify({ error: 0.25, step: 3 }),
    "a b/ünï.txt": "text",
  })) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const words = ["-c", agentPuts, join(packageFolder(), "scripts/agent")];
  const agent = spawn("python3", words, { stdio: ["pipe", "inherit", "inherit"] });
  agent.stdin?.end(JSON.stringify([place, keys, folder, start, source, ran]));
  const [code] = (await once(agent, "exit")) as [number | null];
  expect(code).toBe(0);
}

describe("a bucket on a real server", { timeout: 60_000 }, () => {
  let s3: S3Server;
  beforeAll(async () => {
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(root, "local"));
    vi.stubEnv("PATH", `${rcloneFolder}:${process.env.PATH}`);
    await bringS3Tools();
    s3 = await S3Server.start();
  }, 600_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await s3.dispose();
    rmSync(root, { recursive: true });
  });

  const at = (name: string): BucketPlace => ({ url: `s3://models/runs/test/${name}`, endpoint: s3.url });
  const start = (second: number, instance: string): string => `20260101T00000${second}Z-abcdef-${instance}`;
  const trialOf = (name: string, last: object): object => ({
    experiment: name,
    attempt: 1,
    trial: { sweep: "swept", number: 0, values: {} },
    attempts: [last],
  });

  /** What an instance puts there, and this machine reads. */
  async function holds(place: BucketPlace, keys: Readonly<Record<string, string>>): Promise<void> {
    await put(place, keys, "20260101T000000Z-abcdef", "one:e@abcdef");
    const seen = await lookInBucket(place, keys, { metrics: "metrics/*.json" });
    expect(seen).toMatchObject({ source: "one:e@abcdef", files: 3 });
    expect(seen?.metrics).toEqual({ "metrics/evaluation.json": { error: 0.25, step: 3 } });
    const home = join(root, `home-${++count}`);
    await expect(downloadFromBucket(place, keys, home, quiet)).resolves.toMatchObject({ files: 3 });
    expect(await verifyResults(home)).toMatchObject({ ok: true });
    expect(readFileSync(join(home, "a b/ünï.txt"), "utf8")).toBe("text");
  }

  it("s3:// with a server of one's own holds results", () => holds(at("plain"), s3.keys));

  it("r2:// with an account's server holds results", async () => {
    // As R2's, its region is `auto`.
    const r2 = await S3Server.start("auto");
    try {
      await holds({ url: "r2://models/runs/test/e", endpoint: r2.url }, r2.keys);
    } finally {
      await r2.dispose();
    }
  });

  it("has of a trial the results of the machine that brought it to its end, whichever came last", async () => {
    const place = at("swept-t0");
    await put(place, s3.keys, start(1, "one"), "one:swept-t0@abcdef", trialOf("swept-t0", ended));
    const moved = { number: 1, exitCode: 143, stopReason: "moved" };
    await put(place, s3.keys, start(2, "two"), "two:swept-t0@abcdef", trialOf("swept-t0", moved));
    expect(await lookInBucket(place, s3.keys)).toMatchObject({ source: "one:swept-t0@abcdef" });
    await put(at("swept-t10"), s3.keys, start(1, "two"), "two:swept-t10@abcdef", trialOf("swept-t10", ended));
    await put(at("worker.2/swept"), s3.keys, start(1, "two"), "two:swept@abcdef");
    await put(at("swept-two"), s3.keys, start(1, "two"), "two:swept-two@abcdef");
    const sweep = { isSweep: true, isTogether: false };
    expect(await runsInBucket(at("swept"), s3.keys, sweep)).toEqual([
      "swept",
      "swept-t0",
      "swept-t10",
      "worker.2/swept",
    ]);
    const left = await leftInBucket({ instanceId: "two", bucket: at("swept"), isWorker: true }, s3.keys);
    expect(left.map(({ experiment }) => experiment)).toEqual(["swept-t10"]);
  });

  it("counts as home for an instance that is gone, once a look has verified what that has left", async () => {
    const bucket = { ...at("left"), home: true };
    const secrets = Object.keys(s3.keys).map((name) => ({ name }));
    for (const [name, value] of Object.entries(s3.keys)) vi.stubEnv(name, value);
    const evaluation = { metrics: "metrics/*.json" };
    const own = { experiment: "left", hash: "h", bucket, secrets };
    const of = (id: string): StackView => {
      const machine = { machine: "machine", instance: { id } };
      return { stack: "test", machines: [machine], runs: [{ machine: "machine", run: own, evaluation }] } as never;
    };
    const account = { statuses: { machine: "gone" } } as unknown as AccountLook;
    const jobAfter = async (id: string): Promise<JobView> => {
      await lookIntoBuckets(of(id), account);
      return jobsOf(of(id))[0] as JobView;
    };
    await put(bucket, s3.keys, "20260101T000000Z-abcdef", "one:left@abc", {
      ...trialOf("left", ended),
      trial: undefined,
    });
    const other = await jobAfter("two");
    expect([notedInBucket(other), hasEndedAtHome(other)]).toEqual([undefined, false]);
    const [path = ""] = s3
      .rclone("lsf", "-R", "s3:runs/test/left")
      .split("\n")
      .filter((each) => /best_model/.test(each));
    s3.rclone("moveto", `s3:runs/test/left/${path}`, `s3:runs/test/left/${path}.true`);
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    expect(notedInBucket(await jobAfter("one"))).toBeUndefined();
    expect(told.mock.calls.join("\n")).toMatch(/wasn't looked at: .*best_model\.pt is missing/);
    s3.rclone("moveto", `s3:runs/test/left/${path}.true`, `s3:runs/test/left/${path}`);
    const job = await jobAfter("one");
    expect(notedInBucket(job)).toMatchObject({ exitCode: 0, metrics: { error: 0.25 } });
    expect(hasEndedAtHome(job)).toBe(true);
  });

  inFleetSuite(() => {
    it("gs:// holds results", async () => {
      await bringGcsServer();
      const gcs = await GcsServer.start();
      try {
        await holds({ url: "gs://models/runs/test/e", endpoint: gcs.url }, { GOOGLE_CREDENTIALS: gcs.credentials });
      } finally {
        await gcs.dispose();
      }
    }, 900_000);
  });
});
