import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDataset } from "../../plan/dataset";
import { type Experiment, experimentSchema } from "../../plan/experiment";
import { PlanError } from "../../plan/problems";
import { smokeTest } from "../../plan/smoke";
import { findWorkload } from "../../plan/workload";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes files into the test's folder. */
function files(contents: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    const mode = programs.some((program) => path.endsWith(program)) ? 0o755 : 0o644;
    writeFileSync(join(folder, path), text, { mode });
  }
}

const complete = {
  Makefile: "CONFIG ?= x\ntrain evaluate:\n\techo\ndashboard: train\n\techo\n",
  "configs/lambda.yaml": "device: cuda\nmodel: {layers: 2, width: 64}\n",
  "scripts/lambda_setup.sh": "#!/bin/bash\n",
};

/** Programs of the workload, which may be run. */
const programs = ["scripts/lambda_setup.sh"];

function experiment(change: object = {}): Experiment {
  return experimentSchema.parse({ experiment: "run-1", workload: { source: "." }, ...change });
}

function fields(look: () => unknown): string[] {
  try {
    look();
  } catch (error) {
    if (error instanceof PlanError) return error.problems.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe("workload", () => {
  it("is found in a folder that has all that the commands name", () => {
    files(complete);
    const found = findWorkload(experiment({ workload: { source: ".", name: "ink" } }), folder, folder);
    expect(found).toMatchObject({ name: "ink", folder, config: "configs/lambda.yaml", extraFiles: {} });
  });

  it("reports a missing target, script and config together", () => {
    files({ Makefile: "trian:\n\techo\n" });
    expect(fields(() => findWorkload(experiment(), folder, folder))).toEqual([
      "train.command",
      "evaluate.command",
      "dashboard.command",
      "environment.setup",
      "train.config",
    ]);
    expect(() => findWorkload(experiment(), folder, folder)).toThrow("Did you mean trian?");
  });

  it.each([
    [".", /^plan-\w+$/],
    ["./ink/", /^ink$/],
    ["my ink (2)", /^my-ink-2$/],
  ])("in the folder %s has a workspace that is named after it", (source, name) => {
    const inside = (path: string): string => join(source, path);
    files(Object.fromEntries(Object.entries(complete).map(([path, text]) => [inside(path), text])));
    expect(findWorkload(experiment({ workload: { source } }), folder, folder).name).toMatch(name);
  });

  it("has its commands and config in the folder in which it trains, and setup in the workspace", () => {
    const { "scripts/lambda_setup.sh": script, ...rest } = complete;
    const inCode = Object.fromEntries(Object.entries(rest).map(([path, text]) => [`code/${path}`, text]));
    files({ ...inCode, "scripts/lambda_setup.sh": script });
    const look = () => findWorkload(experiment({ train: { directory: "code", overrides: { a: 1 } } }), folder, folder);
    expect(look().extraFiles).toHaveProperty(["code/.lambda-train/run-1.yaml"]);
    rmSync(join(folder, "scripts"), { recursive: true });
    files({ "code/scripts/lambda_setup.sh": script });
    expect(fields(look)).toEqual(["environment.setup"]);
  });

  it.each([
    ["CRLF in what runs by itself", "./scripts/a.sh", "#!/bin/bash\r\nset -e\r\n", 0o755, "Windows line ends"],
    ["CRLF in what bash runs", "bash -e scripts/a.sh now", "set -e\nls\r\n", 0o644, "Windows line ends"],
    ["CRLF in what is sourced", ". scripts/a.sh", "ls\r\n", 0o644, "Windows line ends"],
    ["CRLF behind a folder", "cd scripts && sudo ./a.sh", "#!/bin/sh\r\n", 0o755, "scripts/a.sh has Windows"],
    ["no x bit", "./scripts/a.sh", "#!/bin/bash\n", 0o644, "chmod +x scripts/a.sh"],
    ["no x bit on a Python program", "./scripts/a.sh", "#!/usr/bin/env python3\n", 0o600, "isn't executable"],
    ["a shell of a Mac", "./scripts/a.sh", "#!/opt/homebrew/bin/bash\n", 0o755, "#!/usr/bin/env bash"],
    ["UTF-16", "bash scripts/a.sh", "\uFEFFl\0s\0", 0o644, "UTF-16"],
  ])("is refused for %s in its setup script", (_, setup, text, mode, message) => {
    files(complete);
    const utf16 = message === "UTF-16" ? Buffer.from("\uFEFFls", "utf16le") : text;
    writeFileSync(join(folder, "scripts/a.sh"), utf16, { mode });
    const look = (): unknown => findWorkload(experiment({ environment: { setup } }), folder, folder);
    expect(fields(look)).toEqual(["environment.setup"]);
    expect(look).toThrow(message);
  });

  it.each([
    ["bash runs it without an x bit", "bash scripts/a.sh", "#!/bin/bash\n"],
    ["it is mended before", "sed -i 's/\\r$//' scripts/a.sh && bash scripts/a.sh", "ls\r\n"],
    ["Python reads both line ends", "python3 scripts/a.sh", "import os\r\n"],
    ["an earlier command may make it", "make tools && ./scripts/none.sh", ""],
    ["it is a shell's own text", "bash -c './scripts/a.sh'", "ls\r\n"],
  ])("is not refused for its setup script where %s", (_, setup, text) => {
    files({ ...complete, "scripts/a.sh": text });
    expect(fields(() => findWorkload(experiment({ environment: { setup } }), folder, folder))).toEqual([]);
  });

  it("is refused for what its other commands run, unless setup mends it", () => {
    files({ ...complete, "train.sh": "#!/bin/bash\r\n", "check.sh": "#!/bin/bash\n" });
    const change = (setup: string | null) =>
      experiment({ environment: { setup }, train: { command: "./train.sh" }, gate: { command: "./check.sh" } });
    expect(fields(() => findWorkload(change(null), folder, folder))).toEqual(["gate.command", "train.command"]);
    expect(fields(() => findWorkload(change("chmod +x *.sh; dos2unix *.sh"), folder, folder))).toEqual([]);
    files({ Makefile: "train evaluate dashboard:\r\n\techo\r\n" });
    expect(() => findWorkload(experiment(), folder, folder)).toThrow("the Makefile has Windows line ends");
  });

  it("brings files that it lacks, if they are there and no data or results", () => {
    files({ ...complete, "own/.env": "KEY=1\n" });
    const bring = (files: object, more: object = {}) =>
      fields(() => findWorkload(experiment({ workload: { source: ".", files }, ...more }), folder, folder));
    expect(bring({ ".env": join(folder, "own/.env") })).toEqual([]);
    expect(bring({ ".env": join(folder, "own/none"), "outputs/x": join(folder, "own") })).toEqual([
      "workload.files..env",
      "workload.files.outputs/x",
    ]);
    expect(bring({ "data/x": join(folder, "own") }, { dataset: { source: "own" } })).toEqual(["workload.files.data/x"]);
    const setup = { environment: { setup: "./tools/prepare.sh" } };
    expect(bring({ tools: join(folder, "own") }, setup)).toEqual([]);
  });

  it("waits for no dataset where there is none", () => {
    files(complete);
    const look = () => findWorkload(experiment({ environment: { waitForDataset: true } }), folder, folder);
    expect(fields(look)).toEqual(["environment.waitForDataset"]);
  });

  it("does not judge targets of a Makefile that includes others", () => {
    files({ ...complete, Makefile: "include common.mk\n" });
    expect(fields(() => findWorkload(experiment(), folder, folder))).toEqual([]);
  });

  it("lays overrides over the config and uploads the result as a file of its own", () => {
    files(complete);
    const found = findWorkload(
      experiment({ train: { overrides: { device: "cpu", model: { layers: 1 } } } }),
      folder,
      folder,
    );
    expect(found.config).toBe(".lambda-train/run-1.yaml");
    expect(found.extraFiles[".lambda-train/run-1.yaml"]).toBe("device: cpu\nmodel: {layers: 1, width: 64}\n");
  });

  describe("whose config isn't there", () => {
    const { "configs/lambda.yaml": config, ...rest } = complete;
    const made = (change: object = {}) => findWorkload(experiment(change), folder, folder);

    it.each([
      ["the setup script writes", "sed s/a/b/ configs/default.yaml > configs/lambda.yaml\n", {}],
      ["the setup command writes", "", { setup: "cp configs/default.yaml configs/lambda.yaml" }],
      ["a target of the Makefile writes", "", { setup: "make train" }],
      ["the experiment says that setup makes", "python make_config.py\n", { makes: ["./configs/lambda.yaml"] }],
    ])("takes one that %s", (_, script, environment) => {
      files({ ...rest, Makefile: `${complete.Makefile}\t> configs/lambda.yaml\n`, "scripts/lambda_setup.sh": script });
      const found = made({ environment, train: { overrides: { lr: 1 } } });
      expect(found).toMatchObject({ config: ".lambda-train/run-1.yaml", extraFiles: {} });
      expect(found.configText).toBeUndefined();
      expect(found.madeConfig).toMatchObject({ path: "configs/lambda.yaml", overrides: { target: found.config } });
      expect(made({ environment })).toMatchObject({ config: "configs/lambda.yaml", madeConfig: {} });
    });

    it.each([
      ["there is no setup", { setup: null }, "the workload has no such file. Give"],
      [
        "setup doesn't name it",
        {},
        "and setup doesn't name it. Give its path inside the workload, or null. If setup makes it, list",
      ],
    ])("is refused where %s", (_, environment, words) => {
      files(rest);
      expect(() => made({ environment })).toThrow(words);
    });

    it("takes the repository's one as it is although setup names it, unless the experiment says that setup rewrites it", () => {
      files({ ...rest, "configs/lambda.yaml": config, "scripts/lambda_setup.sh": "test -f configs/lambda.yaml\n" });
      const overrides = { device: "cpu" };
      expect(made({ train: { overrides } }).overriddenConfig).toMatchObject({ path: "configs/lambda.yaml" });
      const listed = made({ environment: { makes: ["configs/lambda.yaml"] }, train: { overrides } });
      expect(listed).toMatchObject({ madeConfig: { path: "configs/lambda.yaml" }, extraFiles: {} });
    });
  });

  it("comes from a git URL at a branch, a tag or a commit", () => {
    files(complete);
    const git = (...args: string[]): string =>
      execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
        encoding: "utf8",
      });
    git("init", "--quiet", "--initial-branch=main");
    git("add", ".");
    git("commit", "--quiet", "-m", "one");
    git("tag", "v1");
    files({ "new.py": "x = 1\n" });
    git("add", ".");
    git("commit", "--quiet", "-m", "two");
    const cache = mkdtempSync(join(tmpdir(), "plan-cache-"));
    const at = (ref?: string) =>
      findWorkload(experiment({ workload: { source: `file://${folder}`, ref } }), folder, cache);
    expect(() => readFileSync(join(at("v1").folder, "new.py"))).toThrow("ENOENT");
    expect(readFileSync(join(at().folder, "new.py"), "utf8")).toBe("x = 1\n");
    expect(at("main")).toMatchObject({ commit: git("rev-parse", "HEAD").trim(), unfetched: undefined });
    expect(fields(() => at("nonesuch"))).toEqual(["workload.ref"]);
    rmSync(join(folder, ".git"), { recursive: true });
    // The cache serves where the URL cannot be reached, and says so; a commit is what it is.
    const { commit = "", unfetched } = at("v1");
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(unfetched).toContain("git can't fetch it");
    expect(at(commit)).toMatchObject({ commit, unfetched: undefined });
    rmSync(cache, { recursive: true });
  });

  it("shows no user or token of a git URL that cannot be cloned", () => {
    const source = "https://someone:token@127.0.0.1:1/ink.git";
    const clone = (): unknown => findWorkload(experiment({ workload: { source } }), folder, folder);
    expect(clone).toThrow("git can't fetch it");
    expect(clone).not.toThrow(/token/);
  });
});

describe("smoke command", () => {
  const workload = (smoke: string, hash: string) => ({
    name: "w",
    folder,
    source: folder,
    extraFiles: {},
    protectedPaths: [],
    smoke,
    hash,
  });

  beforeEach(() => {
    process.env.LAMBDA_TRAIN_LOCAL = join(folder, ".local");
  });
  afterEach(() => {
    delete process.env.LAMBDA_TRAIN_LOCAL;
    delete process.env.LAMBDA_API_KEY;
  });

  it("runs in the workload, and again only when the code or the command changed", () => {
    const runs = (): number => readFileSync(join(folder, "runs"), "utf8").length;
    smokeTest(workload("printf x >> runs", "a"));
    smokeTest(workload("printf x >> runs", "a"));
    expect(runs()).toBe(1);
    smokeTest(workload("printf x >> runs", "b"));
    smokeTest(workload("printf xx >> runs", "b"));
    expect(runs()).toBe(4);
  });

  it("stops everything where it fails, with what it said, and is tried again", () => {
    expect(() => smokeTest(workload("echo no such layer >&2; exit 1", "a"))).toThrow("no such layer");
    expect(fields(() => smokeTest(workload("exit 1", "a")))).toEqual(["workload.smoke"]);
    expect(fields(() => smokeTest(workload("exit 1", "a")))).toEqual(["workload.smoke"]);
  });

  it("does not see the key that rents instances", () => {
    process.env.LAMBDA_API_KEY = "secret_x";
    expect(() => smokeTest(workload('test -z "$LAMBDA_API_KEY"', "a"))).not.toThrow();
  });
});

describe("dataset", () => {
  const find = (dataset: object) => findDataset(experiment({ dataset }), folder, folder, join(folder, "cache"));

  it("is a folder whose splits exist and hold files", () => {
    files({ "d/train/1": "a", "d/valid/1": "b" });
    mkdirSync(join(folder, "d/test"));
    expect(() => find({ source: "d" })).toThrow(/"test": the folder .* is empty/);
    expect(find({ source: "d", splits: ["train"] })).toEqual({ kind: "folder", path: join(folder, "d") });
  });

  it("tells in which of its folders the splits are", () => {
    files({ "d/images/train/1": "a", "d/images/valid/1": "b", "d/images/test/1": "c", "d/labels.csv": "x" });
    expect(() => find({ source: "d" })).toThrow("name images/train, images/valid, images/test in dataset.splits");
  });

  it("is prepared by the workload's command where it does not exist", () => {
    expect(find({ source: "d", splits: ["train"], prepare: "mkdir -p d/train && touch d/train/1" })).toMatchObject({
      kind: "folder",
    });
    expect(() => find({ source: "e", prepare: "echo no generator >&2; exit 3" })).toThrow("no generator");
  });

  it.each([
    ["fails although it fails into a pipe", "mkdir -p p/train; { echo no room; exit 3; } | tee log", "no room"],
    [
      "does well although what answers it is cut off",
      "yes | head -n 1 > said; mkdir -p p/train; touch p/train/1; yes | head -n 1",
      "",
    ],
  ])("is prepared by a command that %s", (_, prepare, error) => {
    const prepared = (): unknown => find({ source: "p", splits: ["train"], prepare });
    if (error === "") expect(prepared).not.toThrow();
    else expect(prepared).toThrow(error);
  });

  it("is prepared again where the command did not come to its end, whatever it has left", () => {
    const begin = "echo run >> runs; mkdir -p d/train; touch d/train/1";
    const broken = { source: "d", splits: ["train"], prepare: `${begin}; exit 3` };
    expect(() => find(broken)).toThrow("dataset.prepare");
    expect(() => find(broken)).toThrow("dataset.prepare");
    const mended = { ...broken, prepare: `${begin}; touch d/train/2` };
    find(mended);
    find(mended);
    expect(existsSync(join(folder, "d/train/2"))).toBe(true);
    expect(readFileSync(join(folder, "runs"), "utf8")).toBe("run\n".repeat(3));
  });

  it("is an archive, a URL or a folder of a file system", () => {
    files({ "d.tar.gz": "x", "d.rar": "x" });
    expect(find({ source: "d.tar.gz" })).toEqual({ kind: "archive", path: join(folder, "d.tar.gz") });
    for (const source of ["https://example.com/d.tgz?x=1", "http://127.0.0.1:8000/d.zip"])
      expect(find({ source })).toEqual({ kind: "url", url: source, sha256: undefined });
    expect(find({ source: "lambda-fs://weights/ink" })).toEqual({
      kind: "fileSystem",
      path: "/lambda/nfs/weights/ink",
    });
    const wrong = [
      "d.rar",
      "https://example.com/d",
      "https://",
      "http://example.com/d.tgz",
      "http://127.example.com/d.tgz",
      "ftp://host/d",
      "lambda-fs://a/../b",
      "nothing",
    ];
    for (const source of wrong) {
      expect(fields(() => find({ source }))).toEqual(["dataset.source"]);
    }
  });
});
