import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunFile } from "../../emulator/run-file";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, type TinyChanges, useTinyWorkload } from "../support/tiny";

/**
 * A workload unlike the reference in every way that the configuration allows, through the real CLI; each test goes on
 * from where the one before ended. It comes from a tag of a git repository, trains in a folder of its own below the
 * repository's, asks a question at setup, changes the experiment's name, and has its data in an archive.
 */
describe("another kind of workload", { timeout: 120_000 }, () => {
  const project = new Project();
  const repository = join(project.folder, "repository", "rough.git");
  let cloud: TestCloud;
  let server: Server;
  let instance: string;

  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", repository, "-c", "user.name=Test", "-c", "user.email=test@example.org", ...args], {
      encoding: "utf8",
    });
  const archive = (name: string, ...args: string[]): string => {
    execFileSync("tar", ["-czf", join(project.folder, name), "-C", project.folder, ...args]);
    return createHash("sha256")
      .update(readFileSync(join(project.folder, name)))
      .digest("hex");
  };
  const configure = (changes: TinyChanges = {}): void =>
    configureTiny(project, {
      experiment: "rough",
      workload: { source: `file://${repository}`, ref: "v1" },
      dataset: { source: "data.tar.gz", target: "code/data" },
      environment: { setup: "bash scripts/ask.sh", answer: "y", variables: { GREETING: 'it\'s "me"' } },
      overrides: { steps: 30, seconds_per_step: 0.02 },
      stack: { fileSystem: "weights", createFileSystem: true },
      ...changes,
      train: { directory: "code", waitFor: "end", ...changes.train },
    });
  const up = (): Promise<string> => project.succeeds("up");
  const upFails = (): Promise<string> => project.fails("up");
  const onInstance = async (command: string): Promise<string> => (await project.run("ssh", [command])).output;
  const outputOf = async (name: string): Promise<unknown> => (await project.outputs())[name];

  beforeAll(async () => {
    // The git mirror must not outlive the test.
    project.env.LAMBDA_TRAIN_CACHE = join(project.folder, ".cache");
    useTinyWorkload(project);
    mkdirSync(join(repository, ".."), { recursive: true });
    renameSync(join(project.folder, "tiny"), join(project.folder, "repository", "code"));
    mkdirSync(repository);
    cpSync(join(project.folder, "repository", "code"), join(repository, "code"), { recursive: true });
    const makefile = readFileSync(join(repository, "code", "Makefile"), "utf8");
    project.write("repository/rough.git/code/Makefile", makefile.replace("$(EXPERIMENT)\n", "$(EXPERIMENT)-v1\n"));
    project.write(
      "repository/rough.git/scripts/ask.sh",
      'set -euo pipefail\necho run >> ~/asked\nread -r -p "Install everything? [y/n] " answer\n[ "$answer" = y ]\necho "installed for $GREETING" > ~/installed\n',
    );
    git("init", "--quiet", "--initial-branch=main");
    git("add", ".");
    git("commit", "--quiet", "-m", "Works");
    git("tag", "v1");
    project.write("repository/rough.git/code/train.py", "raise SystemExit('not the tag')\n");
    git("commit", "--quiet", "--all", "-m", "Does not");
    archive("data.tar.gz", "tiny-data");
    server = createServer((request, response) => {
      if (request.url !== "/sets/data.tar.gz?token=a%20b") return void response.writeHead(404).end();
      const body = readFileSync(join(project.folder, "served.tar.gz"));
      response.writeHead(200, { "content-length": body.length });
      response.end(request.method === "HEAD" ? undefined : body);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    await project.init();
    cloud = await TestCloud.start(project);
    await cloud.letReach(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    await project.dispose();
  });

  it("that needs a GPU is stopped at the gate of an instance without one, with the evidence", async () => {
    configure({ gate: { gpu: "required" } });
    const output = await upFails();
    expect(output).toMatch(/FAIL driver: nvidia-smi does not work .*set gate\.gpu to optional/);
    expect(output).toMatch(/FAIL cuda: .*no GPU/);
    expect(output).toMatch(/ok dataset train: 1 files/);
    const { instances, fileSystems } = await cloud.inventory();
    expect(fileSystems).toEqual(["weights"]);
    expect(await project.succeeds("status")).toMatch(
      /file system +weights in \S+ .*\$0\.20 per GB and month.*, with or without an instance/,
    );
    expect(instances).toHaveLength(1);
    instance = instances[0] ?? "";
    const names = (await project.resources()).map(({ urn }) => urn.split("::").at(-1));
    expect(names).toEqual(expect.arrayContaining(["environment-setup", "results-guard"]));
    for (const later of ["run-train", "run-watch", "evaluation-watch"]) expect(names).not.toContain(later);
    expect(await onInstance("ls .lambda-train/runs code/outputs 2>/dev/null | wc -l")).toBe("0\n");
  });

  it("goes on where no GPU is required, and up ends with training: metrics are among its outputs", async () => {
    configure();
    await up();
    expect(await project.outputs()).toMatchObject({
      instanceId: instance,
      experiment: "rough",
      runStatus: "finished",
      metrics: { "metrics/evaluation.json": { step: 30, error: expect.any(Number) } },
    });
  });

  it("was asked once, answered, and wrote into a folder of another name", async () => {
    expect(await onInstance("cat asked installed; ls rough rough/code/outputs")).toBe(
      'run\ninstalled for it\'s "me"\ncode\nscripts\n\nrough/code/outputs:\nrough-v1\n'.replace(
        "code\n",
        "rough:\ncode\n",
      ),
    );
    expect(await onInstance("cat rough/code/.lambda-train/rough.yaml")).toMatch(
      /^steps: 30\nseconds_per_step: 0.02\nfail_at: 0\n$/,
    );
  });

  it("knows its commit and version there", async () => {
    const commit = git("rev-parse", "v1");
    expect(await onInstance("cd rough && git rev-parse HEAD && git describe --tags --dirty")).toBe(`${commit}v1\n`);
  });

  it("finds its file system where Lambda mounts it", async () => {
    expect(await onInstance("echo kept > /lambda/nfs/weights/note && cat /lambda/nfs/weights/note")).toBe("kept\n");
  });

  it("does not take data whose checksum is another, and tells both", async () => {
    project.write("tiny-data/train/more.jsonl", "[20, 60]\n");
    const sha256 = archive("served.tar.gz", "-C", "tiny-data", "train", "valid", "test");
    const { port } = server.address() as AddressInfo;
    const source = `http://127.0.0.1:${port}/sets/data.tar.gz?token=a%20b`;
    const wrong = "0".repeat(64);
    configure({ experiment: "rough-2", dataset: { source, sha256: wrong, target: "code/data" } });
    expect(await upFails()).toContain(`The dataset's checksum is ${sha256}, expected ${wrong}.`);
    // What is there is left as it was, the results of the run before too.
    expect(await onInstance("ls rough/code/data/train")).toBe("a b.jsonl\n");
    expect(await outputOf("runStatus")).toBe("finished");

    configure({ experiment: "rough-2", dataset: { source, sha256, target: "code/data" } });
    await up();
    expect(await onInstance("ls rough/code/data/train .lambda-train/archives")).toBe(
      ".lambda-train/archives:\n\nrough/code/data/train:\na b.jsonl\nmore.jsonl\n",
    );
    expect(await project.outputs()).toMatchObject({
      experiment: "rough-2",
      runStatus: "finished",
      instanceId: instance,
    });
    const first = join(project.folder, "results", "test", "rough");
    expect(await verifyResults(first)).toMatchObject({ ok: true });
    expect(existsSync(join(first, "checkpoints", "best_model.pt"))).toBe(true);
  });

  it("leaves its file system when it goes, with what that holds", async () => {
    const output = await project.succeeds("down", ["--keep-cloud"]);
    expect(output).toContain("file system weights in us-east-1 is kept");
    const results = join(project.folder, "results", "test", "rough-2");
    expect(await verifyResults(results)).toMatchObject({ ok: true });
    expect(existsSync(join(results, "metrics", "evaluation.json"))).toBe(true);
    expect(await cloud.inventory()).toEqual({ ...nothing, fileSystems: ["weights"] });
    const { url, apiKey } = readRunFile(join(project.folder, ".local")) ?? {};
    const [kept] = (await cloud.admin.state()).fileSystems;
    const deleted = await fetch(`${url}/filesystems/${kept?.id}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(deleted.status, await deleted.text()).toBe(200);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
