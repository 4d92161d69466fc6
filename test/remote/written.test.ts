import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { piecesOf } from "../../remote/transfer/blocks";
import type { Written } from "../../remote/types";
import { elsewhereLines, parseWritten } from "../../remote/written";

const agent = join(__dirname, "../../scripts/agent");
const mebibyte = 1024 ** 2;

/** Which files of a home folder count as written by training: the agent alone, in a home of its own. */
describe("what training writes elsewhere", () => {
  let home: string;
  let base: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "lambda-train-written-"));
    base = join(home, ".lambda-train");
    put(".lambda-train/runs/exp/attempt", "1\n");
    attempt(1);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const put = (path: string, content: string | number = "new"): string => {
    const full = join(home, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, typeof content === "number" ? Buffer.alloc(content) : content);
    return full;
  };
  const attempt = (number: number, hash = "h"): void => {
    const facts = `.lambda-train/runs/exp/attempts/${number}`;
    put(".lambda-train/runs/exp/attempt", `${number}\n`);
    put(`${facts}/hash`, `${hash}\n`);
    put(`${facts}/run.env`, "export LT_WORKSPACE=work\nexport LT_DIRECTORY=sub\nexport LT_OUTPUTS=outputs\n");
    put(`${facts}/mark`, "");
  };
  const run = (verb: string, document: object, answer: readonly object[] = []): Buffer =>
    execFileSync("python3", ["-IS", agent, verb], {
      env: { PATH: process.env.PATH, HOME: home, LAMBDA_TRAIN_DISK: home },
      input: `${JSON.stringify(document)}\n${JSON.stringify(answer)}\n`,
    });
  const look = (): Written => {
    run("written", { experiment: "exp", end: true });
    return JSON.parse(readFileSync(join(base, "runs/exp/written.json"), "utf8")) as Written;
  };
  const found = (): string[] => look().found.map(({ path }) => path);
  const left = (): string[] => look().left.map(({ path, why }) => `${path}: ${why}`);
  const keys = (include: string[], exclude: string[] = []): void => {
    put(".lambda-train/runs/exp/results.json", JSON.stringify({ include, exclude }));
  };
  /** The pieces of one kind that an instance sends, which is asked for this content. */
  const sent = async (document: object, kind: number, wanted: readonly object[] = []): Promise<Buffer[]> => {
    const stream = run("send", document, wanted);
    const found: Buffer[] = [];
    for await (const pieces of piecesOf(Readable.from([stream]))) {
      for (const piece of pieces) if (piece.kind === kind) found.push(Buffer.from(piece.content));
    }
    return found;
  };
  /** What a download would bring: name at home → content, or `-> target` of a link. */
  const listed = async (...places: string[]): Promise<Record<string, string>> => {
    const asked = places.flatMap((at, index) => (index % 2 === 0 ? [{ at, path: places[index + 1] }] : []));
    const document = { places: asked, written: { experiment: "exp", keys: { include: [], exclude: [] } }, unpacks: [] };
    const entries = (await sent(document, 0))
      .flatMap((list) => JSON.parse(String(list)) as { at?: string; path: string; link?: string }[])
      .map(({ at = "", path, link }) => ({ name: [at, path].filter((part) => part !== "").join("/"), link }));
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
    const numbers = entries.flatMap(({ link }, number) => (link === undefined ? [number] : []));
    const contents = await sent(
      document,
      1,
      numbers.map((number) => [number, 0]),
    );
    return Object.fromEntries(
      entries.map(({ name, link }, number) => [
        name,
        link === undefined ? String(contents[numbers.indexOf(number)]) : `-> ${link}`,
      ]),
    );
  };
  const later = (): Promise<void> => sleep(20);

  it.each([
    ["work/lightning_logs/version_0/x.ckpt", "lightning_logs/"],
    ["work/results.csv", "results.csv"],
    ["work/.hydra/config.yaml", ".hydra/"],
    ["work/src/pkg/data/x.txt", "src/"],
    ["work/core/x", "core/"],
    ["work/build/x", "build/"],
    ["ckpts/model.pt", "~/ckpts/"],
    ["model.pt", "~/model.pt"],
    ["work2/mlruns/0/meta.yaml", "~/work2/"],
  ])("%s comes home", (path, group) => {
    put(path);
    expect(found()).toEqual([group]);
    expect(left()).toEqual([]);
  });

  it.each([
    ["work/data/a.txt", "data: a folder of data, by its name"],
    ["work/sub/datasets/a.txt", "sub/datasets: a folder of data, by its name"],
    ["scikit_learn_data/a.bz2", "~/scikit_learn_data: a folder of data, by its name"],
    [".keras/datasets/mnist.npz", "~/.keras: a folder of data, by its name"],
    [".secretive/token", "~/.secretive: a hidden entry of the home folder"],
  ])("%s is left out, and named", (path, group) => {
    put(path);
    expect(found()).toEqual([]);
    expect(left()).toEqual([group]);
  });

  it("says nothing of what tools keep for themselves, nor of secrets", () => {
    const nobodys = [
      "work/outputs/exp/a",
      "work/.git/index",
      "work/pkg/__pycache__/a.pyc",
      "work/venv/pyvenv.cfg",
      "work/thing.egg-info/PKG-INFO",
      "work/wandb-cache/CACHEDIR.TAG",
      "work/hub/models--a--b/blobs/x",
      ".cache/torch/hub/checkpoints/resnet.pth",
      ".local/lib/python3/x.py",
      ".netrc",
      ".ssh/known_hosts",
      ".bash_history",
      "miniconda3/bin/x",
      ".lambda-train/staging/x",
    ];
    for (const path of nobodys) put(path, 2 * mebibyte);
    expect(look()).toMatchObject({ found: [], left: [], whole: true });
  });

  it("counts what is as old as its archive says, and what an earlier start of the same run wrote", async () => {
    utimesSync(put("work/unpacked/a"), 1, 1);
    await later();
    attempt(2);
    expect(found()).toEqual(["unpacked/"]);
  });

  it("does not count what was there before, nor what another configuration wrote", async () => {
    put("work/setup/weights.bin");
    await later();
    attempt(2, "other");
    expect(found()).toEqual([]);
  });

  it("counts of the upload only what training changed", async () => {
    rmSync(join(base, "runs/exp/attempts/1/mark"));
    const exactly = (path: string): unknown[] => {
      utimesSync(put(path, "old"), 1_700_000_000, 1_700_000_000);
      return [3, 1_700_000_000_000_000_000, "0".repeat(64), false, null];
    };
    const files = { "train.py": exactly("work/train.py"), "log.csv": exactly("work/log.csv") };
    const numbers = { "a.txt": exactly("work/numbers/a.txt"), "b.txt": exactly("work/numbers/b.txt") };
    put(".lambda-train/manifests/work.json", JSON.stringify({ root: join(home, "work"), hash: "h", files }));
    put(
      ".lambda-train/manifests/work-numbers.json",
      JSON.stringify({ root: join(home, "work/numbers"), hash: "h", files: numbers }),
    );
    await later();
    put(".lambda-train/runs/exp/attempts/1/mark", "");
    // A change of rights alone is none of the content.
    chmodSync(join(home, "work/train.py"), 0o700);
    put("work/log.csv", "old, and a line");
    put("work/numbers/a.txt", "rewritten");
    expect(found()).toEqual(["log.csv"]);
    expect(left()).toEqual(["numbers: the dataset's folder"]);
  });

  it("results.include wins over the rules, results.exclude over what is found", () => {
    put("work/data/train/a.txt");
    put("work/data/ckpt/best.pt");
    put(".cache/mine/model.pt");
    put("work/frames/1.png");
    put("work/notes.txt");
    keys(["data/ckpt/*.pt", "~/.cache/mine"], ["frames", "frames/../x"]);
    expect(found().sort()).toEqual(["data/", "notes.txt", "~/.cache/"]);
    expect(left()).toEqual(["data: a folder of data, by its name", "frames: results.exclude"]);
  });

  it("names the biggest checkpoint among what is left out", () => {
    put("work/data/small.pt", 10);
    put("work/data/a.safetensors", mebibyte);
    put("work/data/b.pth.tar", 2 * mebibyte);
    put("work/data/images.tar", 3 * mebibyte);
    expect(look().left[0]).toMatchObject({
      path: "data",
      files: 4,
      checkpoint: { path: "data/b.pth.tar", bytes: 2 * mebibyte },
    });
  });

  it("finds what lies behind a link, each folder once, and keeps the links among it", async () => {
    const disk = mkdtempSync(join(tmpdir(), "lambda-train-disk-"));
    try {
      writeFileSync(join(disk, "a.pt"), "a");
      symlinkSync(".", join(disk, "again"));
      mkdirSync(join(home, "work"), { recursive: true });
      symlinkSync(disk, join(home, "work/runs"));
      symlinkSync(disk, join(home, "work/the-same"));
      symlinkSync(home, join(home, "work/up"));
      put("work/wandb/run-1/log", "log");
      symlinkSync("run-1", join(home, "work/wandb/latest"));
      symlinkSync(join(home, "work/wandb/run-1/log"), join(home, "log"));
      put("work/uploaded", "x");
      const names = await listed("", "work/outputs/exp");
      expect(names).toMatchObject({
        "beside/wandb/run-1/log": "log",
        "beside/wandb/latest": "-> run-1",
        "beside/home/log": "-> ../wandb/run-1/log",
      });
      expect(Object.values(names).filter((content) => content === "a")).toHaveLength(1);
    } finally {
      rmSync(disk, { recursive: true });
    }
  });

  it("gives each file a name of its own at home, whatever its folder is called", async () => {
    put("work/outputs/exp/best.pt", "0");
    put("work/outputs/logs/a", "1");
    put("work/logs/a", "2");
    put("work/home/a", "3");
    put("home/a", "4");
    put("a", "5");
    put("work/a", "6");
    put("work/workspace/home/a", "7");
    put(".lambda-train/runs/exp/attempts/1/output_path", join(home, "work/outputs/exp"));
    put(".lambda-train/runs/exp/attempts/1/output_beside", join(home, "work/outputs/logs"));
    const names = await listed("", "work/outputs/exp", "beside/logs", "work/outputs/logs");
    expect(Object.values(names).sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    expect(names).toMatchObject({
      "best.pt": "0",
      "beside/logs/a": "1",
      "beside/workspace/logs/a": "2",
      "beside/workspace/home/a": "3",
      "beside/home/home/a": "4",
      "beside/home/a": "5",
      "beside/a": "6",
      "beside/workspace/workspace/home/a": "7",
    });
  });

  it("does not look again before the last look has paid", () => {
    put("work/a");
    run("written", { experiment: "exp", end: false });
    const file = join(base, "runs/exp/written.json");
    const first = lstatSync(file).ino;
    run("written", { experiment: "exp", end: false });
    expect(lstatSync(file).ino).toBe(first);
    const value = JSON.parse(readFileSync(file, "utf8")) as Written;
    writeFileSync(file, JSON.stringify({ ...value, at: value.at - 600 }));
    run("written", { experiment: "exp", end: false });
    expect(lstatSync(file).ino).not.toBe(first);
  });
});

describe("what is said of files written elsewhere", () => {
  const written = (changes: Partial<Written> = {}): Written => ({
    at: 1,
    whole: true,
    checkpoints: { files: 0, newest: 0 },
    found: [],
    left: [],
    ...changes,
  });
  const group = (path: string) => ({ path, files: 1, bytes: 500_000 });

  it("is nothing where there is nothing", () => {
    expect(elsewhereLines(undefined)).toEqual([]);
    expect(elsewhereLines(written())).toEqual([]);
  });

  it("names the first ones, sums up the rest, and says where the look was cut short", () => {
    const found = ["a", "b", "c", "d", "e", "f", "g", "h"].map(group);
    const [line] = elsewhereLines(written({ found, whole: false }));
    expect(line).toMatch(/beside\/: a \(1 file, 0\.5 MB\), b .*, f .*, 2 more \(2 files, 1\.0 MB\), perhaps more/);
    expect(line).not.toContain("g (");
  });

  it("says why something stays there, and shows nothing that a terminal would obey", () => {
    const checkpoint = { path: "data/\u001b[2Jx.pt", bytes: 2_000_000 };
    expect(elsewhereLines(written({ left: [{ ...group("data"), why: "the dataset's folder", checkpoint }] }))).toEqual([
      expect.stringMatching(/: data \(1 file, 0\.5 MB: the dataset's folder; data\/x\.pt of 2\.0 MB looks like/),
    ]);
  });

  it.each([undefined, {}, { ...written(), found: [{ path: 1 }] }])("is refused where it is no list: %o", (value) => {
    expect(() => parseWritten(value, "1.2.3.4")).toThrow(/from 1\.2\.3\.4, is not one/);
  });
});
