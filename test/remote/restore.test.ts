import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashText } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import { reasonAgainst } from "../../remote/restore/at-home";
import { checkpointOf, choose } from "../../remote/restore/choose";
import { placeFinder, placesOf } from "../../remote/restore/places";
import type { RunRecord } from "../../remote/transfer/run-record";
import { fill } from "./transfer-place";

const ran = (changes: Partial<RunRecord> = {}): RunRecord => ({
  experiment: "exp",
  attempt: 1,
  hash: "h",
  attempts: [{ number: 1, seconds: 100 }],
  ...changes,
});

describe("where a file of the results goes back to", () => {
  const writes = { experiment: "exp", outputs: "code/outputs" };

  it("is where it lay, and nowhere else", () => {
    const placed = (outputs: string, beside: string[] = []): ((path: string) => string | undefined) =>
      placeFinder(placesOf(ran({ places: { outputs, beside } }), writes), writes);
    const named = placed("code/outputs/exp", ["code/outputs/logs"]);
    const dated = placed("code/outputs/2026-11-28");
    expect({
      own: named("checkpoints/1.pt"),
      run: named("run.workload/x"),
      log: named("run/train.log"),
      other: named("run/else"),
      beside: named("beside/logs/a.csv"),
      elsewhere: named("beside/lightning_logs/version_0/x.ckpt"),
      clashing: named("beside/workspace/logs/x"),
      home: named("beside/home/ckpts/x"),
      hidden: named("beside/home/.bashrc"),
      disk: named("beside/disk/mnt/x"),
      earlier: named("earlier/1/x"),
      dated: dated("2026-11-28/checkpoints/1.pt"),
      foreign: dated("checkpoints/1.pt"),
    }).toEqual({
      own: "workspace/code/outputs/exp/checkpoints/1.pt",
      run: "workspace/code/outputs/exp/run/x",
      log: "run/train.log",
      other: undefined,
      beside: "workspace/code/outputs/logs/a.csv",
      elsewhere: "workspace/lightning_logs/version_0/x.ckpt",
      clashing: "workspace/logs/x",
      home: "home/ckpts/x",
      hidden: undefined,
      disk: undefined,
      earlier: undefined,
      dated: "workspace/code/outputs/2026-11-28/checkpoints/1.pt",
      foreign: undefined,
    });
  });

  it.each(["../elsewhere", "/etc", ".", "code", ".ssh", "code/outputs/../.git"])("is not %s", (outputs) => {
    const places = placesOf(ran({ places: { outputs, beside: [outputs] } }), writes);
    expect(places).toEqual({ outputs: "code/outputs/exp", beside: [] });
  });
});

describe("what of the results is put back", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lambda-train-restore-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const entriesOf = async (files: Readonly<Record<string, number | undefined>>): Promise<ManifestEntry[]> => {
    await fill(folder, Object.fromEntries(Object.keys(files).map((path) => [path, path])));
    return Object.entries(files)
      .map(([path, mtime]) => ({ path, size: path.length, sha256: hashText(path), executable: false, mtime }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  };

  it("is all but old checkpoints of which newer ones are there", async () => {
    const entries = await entriesOf({
      "metrics/a.csv": 1,
      "checkpoints/last.pt": 60,
      "checkpoints/best-epoch=1.pt": 1,
      "checkpoints/epoch_9.pt": 50,
      "checkpoints/epoch_10.pt": 50,
      "checkpoints/epoch_8.pt": 40,
      "checkpoints/epoch_7.pt": 30,
      "checkpoint-100/model.safetensors": 1,
      "checkpoint-100/trainer_state.json": 2,
    });
    const { entries: taken, left, damaged, newest } = await choose(folder, entries);
    expect(left).toEqual(["checkpoints/epoch_7.pt"]);
    expect(damaged).toEqual([]);
    expect(newest).toBe(60);
    expect(taken).toHaveLength(entries.length - 1);
  });

  it("is no checkpoint of which a part is damaged or missing, and one more of the earlier ones instead", async () => {
    const times = [100, 200, 300, 400].flatMap((number): [string, number][] => [
      [`checkpoint-${number}/model.safetensors`, number],
      [`checkpoint-${number}/trainer_state.json`, number],
    ]);
    const entries = await entriesOf({ ...Object.fromEntries(times), "log.txt": 1, "lost.txt": 1 });
    await writeFile(join(folder, "checkpoint-400/trainer_state.json"), "xx");
    await rm(join(folder, "lost.txt"));
    const { entries: taken, left, damaged, newest } = await choose(folder, entries);
    expect(damaged).toEqual(["checkpoint-400", "lost.txt"]);
    expect(left).toEqual([]);
    expect(newest).toBe(300);
    expect(taken.map(({ path }) => path)).not.toContain("checkpoint-400/model.safetensors");
    expect(taken).toHaveLength(7);
  });

  it("tells checkpoints by their names", () => {
    expect(checkpointOf("a/checkpoint-12/b/x.json")).toBe("a/checkpoint-12");
    expect(checkpointOf("global_step100/zero.bin")).toBe("global_step100");
    expect(checkpointOf("checkpoints/metrics.json")).toBeUndefined();
    expect(checkpointOf("a/last.ckpt")).toBe("a/last.ckpt");
  });
});

describe("a run goes on", () => {
  const run = { experiment: "exp", hash: "h", outputs: "outputs" };
  const last = (end: object): RunRecord => ran({ attempts: [{ number: 1, seconds: 100, ...end }] });

  it("where it has not finished, within its limit, with the same settings", () => {
    for (const end of [
      {},
      { exitCode: 1 },
      { exitCode: 0, stopReason: "destroy" },
      { exitCode: 143, stopReason: "budget" },
    ])
      expect(reasonAgainst(last(end), run)).toBeUndefined();
    expect(reasonAgainst(last({}), { ...run, maxSeconds: 101 })).toBeUndefined();
  });

  it.each([
    [undefined, {}, "doesn't tell what ran"],
    [last({ exitCode: 0 }), {}, "exp had finished"],
    [last({}), { hash: "other" }, "other settings"],
    [last({}), { experiment: "exp-2" }, "results of exp"],
    [last({ stopReason: "limit" }), { maxSeconds: 100 }, "train.maxHours (100 of 100 s"],
    [ran({ attempts: [] }), {}, "no start"],
  ])("and otherwise says why not (%#)", (record, changes, why) => {
    expect(reasonAgainst(record, { ...run, ...changes })).toContain(why);
  });
});
