import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hashFile } from "../../local/folder/hashes";
import { ensureAgent } from "../../remote/agent";
import { archivePath, renderExtract, renderSetup } from "../../remote/scripts";
import { type ExecResult, SshSession } from "../../remote/session";
import { uploadArchive } from "../../remote/transfer/upload";
import { startSshd, type TestSshd } from "../support/sshd";
import { testPlan } from "./plan";
import { useScriptHost } from "./script-host";

const run = promisify(execFile);
const one = useScriptHost();

/** What two machines find on a file system that they share: here a folder of this machine. */
describe("a cache that several machines share", () => {
  let two: TestSshd;
  let other: SshSession;
  let shared: string;
  let server: Server;
  let served = 0;
  let archive: string;

  const sendTo = (session: SshSession, script: string): Promise<ExecResult> =>
    session.exec("bash -s", { stdin: script, timeoutSeconds: 60 });
  const logOf = (home: string, step: string): Promise<string> =>
    readFile(join(home, ".lambda-train/steps", step, "log"), "utf8");

  beforeAll(async () => {
    two = await startSshd();
    other = await SshSession.connect(two.access);
    await ensureAgent(other);
    shared = join(two.home, "../disk");
    archive = join(two.home, "../data.tar.gz");
    const make =
      "mkdir -p train test; echo a > train/a; echo b > 'test/b c'; tar -czf ../data.tar.gz train test; rm -r train test";
    await mkdir(join(two.home, "work"));
    await run("bash", ["-ec", make], { cwd: two.home });
    server = createServer(async (request, response) => {
      if (request.method === "GET") served += 1;
      response.setHeader("etag", '"1"');
      response.end(await readFile(archive));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  });
  afterAll(async () => {
    server.close();
    other.close();
    await two.stop();
  });
  afterEach(() => rm(join(shared, "lambda-train"), { recursive: true, force: true }));

  describe("of a dataset", () => {
    const planOf = (source: Parameters<typeof sourcePlan>[0]) => sourcePlan(source);
    const sourcePlan = (source: { kind: "archive"; path: string } | { kind: "url"; url: string }) =>
      testPlan({
        dataset: {
          source,
          target: "data",
          splits: ["train", "test"],
          hash: "0",
          cache: join(shared, "lambda-train/datasets/k"),
        },
      });
    const root = (path = ""): string => join(shared, "lambda-train/datasets/k", path);
    const bring = async (access: TestSshd["access"]): Promise<number> => {
      const plan = planOf({ kind: "archive", path: archive });
      const sha256 = await hashFile(archive);
      const cache = { root: root(), by: "machine" };
      const options = { localArchive: archive, remotePath: archivePath(plan), sha256, cache };
      return (await uploadArchive(access, options)).sentBytes;
    };
    const extract = async (session: SshSession): Promise<ExecResult> => {
      const plan = planOf({ kind: "archive", path: archive });
      const dataset = plan.dataset && { ...plan.dataset, hash: await hashFile(archive) };
      return sendTo(session, renderExtract({ ...plan, dataset }));
    };

    it("in an archive: it is brought and unpacked once, and mended where it was damaged", async () => {
      expect(await bring(one.sshd.access)).toBeGreaterThan(0);
      expect(await bring(two.access)).toBe(0);
      expect(await extract(one.session)).toMatchObject({ code: 0 });
      expect(await readdir(root("..").concat("/.k"))).not.toContain("archive");
      expect(await bring(two.access)).toBe(0);
      expect(await extract(other)).toMatchObject({ code: 0 });
      expect(await logOf(two.home, "dataset")).toContain("The dataset is in the cache");
      expect(await readlink(join(two.home, "work/data"))).toBe(root());
      expect((await stat(root("train/a"))).mode & 0o222).toBe(0);

      const right = await stat(root("test/b c"));
      await chmod(root("train/a"), 0o644);
      await writeFile(root("train/a"), "damaged");
      expect(await bring(two.access)).toBeGreaterThan(0);
      await rm(join(two.home, "work/data"));
      expect(await extract(other)).toMatchObject({ code: 0 });
      expect(await readFile(root("train/a"), "utf8")).toBe("a\n");
      // What is right stays where others may be reading it.
      expect((await stat(root("test/b c"))).ino).toBe(right.ino);
    });

    it("at an address: it is fetched once", async () => {
      const { port } = server.address() as AddressInfo;
      const script = renderExtract(planOf({ kind: "url", url: `http://127.0.0.1:${port}/data.tar.gz` }));
      expect(await sendTo(one.session, script)).toMatchObject({ code: 0 });
      expect(await sendTo(other, script)).toMatchObject({ code: 0 });
      expect(served).toBe(1);
      expect(await readFile(join(two.home, "work/data/train/a"), "utf8")).toBe("a\n");
    });
  });

  describe("of an environment", () => {
    const setup = (hash: string): string => {
      const base = testPlan().environment;
      const cache = join(shared, "lambda-train/environments");
      return renderSetup({ ...testPlan({ environment: { ...base, manager: "auto", hash, cache } }), runs: [] });
    };
    const activated = async (home: string): Promise<string> => readFile(join(home, ".lambda-train/env.sh"), "utf8");
    const made = async (): Promise<string[]> =>
      (await readdir(join(shared, "lambda-train/environments"))).filter((name) => name[0] !== ".").sort();
    /** Both machines have the file, and a conda that takes a note of each environment that it makes. */
    const environmentFile = async (name: string, text: string): Promise<void> => {
      for (const { home, bin } of [one.sshd, two]) {
        await writeFile(join(home, "work", name), text);
        const program =
          '#!/bin/bash\nwhile [ "$1" != -p ]; do shift; done\nmkdir -p "$2/bin"; echo made >> "$2/bin/tool"; chmod +x "$2/bin/tool"\n';
        await writeFile(join(bin, "micromamba"), program, { mode: 0o755 });
      }
    };

    it("by conda: it is made once, made anew where it was not finished, and beside where it is damaged", async () => {
      await environmentFile("environment.yml", "name: x\ndependencies: [python]\n");
      expect(await sendTo(one.session, setup("1"))).toMatchObject({ code: 0 });
      expect(await sendTo(other, setup("1"))).toMatchObject({ code: 0 });
      expect(await logOf(two.home, "setup")).toMatch(/The environment is in the cache/);
      const [key = ""] = await made();
      expect(await activated(two.home)).toContain(`CONDA_PREFIX=${shared}/lambda-train/environments/${key}/conda`);
      const tool = join(shared, "lambda-train/environments", key, "conda/bin/tool");
      expect(await readFile(tool, "utf8")).toBe("made\n");

      // Its maker was killed before it had noted that all is there.
      await rm(join(shared, "lambda-train/environments", `.${key}`, "files.json"));
      expect(await sendTo(other, setup("2"))).toMatchObject({ code: 0 });
      expect(await readFile(tool, "utf8")).toBe("made\n");
      expect(await made()).toEqual([key]);

      await rm(tool);
      expect(await sendTo(other, setup("3"))).toMatchObject({ code: 0 });
      expect(await made()).toEqual([key, `${key}-2`]);
      expect(await activated(two.home)).toContain(`${key}-2/conda`);
    });

    it("as a virtual environment, unless what it installs lies in the workspace", async () => {
      for (const { home } of [one.sshd, two]) {
        for (const name of await readdir(join(home, "work"))) await rm(join(home, "work", name), { recursive: true });
        // Nothing of the kind is there, and a marker keeps it from being asked for.
        await writeFile(join(home, "work/requirements.txt"), "pip>=1\n");
      }
      const base = testPlan().environment;
      const cache = join(shared, "lambda-train/environments");
      const plan = (hash: string, file: string): string =>
        renderSetup({ ...testPlan({ environment: { ...base, manager: "venv", file, hash, cache } }), runs: [] });
      expect(await sendTo(one.session, plan("v1", "requirements.txt"))).toMatchObject({ code: 0 });
      expect(await sendTo(other, plan("v1", "requirements.txt"))).toMatchObject({ code: 0 });
      const [key] = await made();
      expect(await made()).toHaveLength(1);
      expect(await activated(two.home)).toContain(`VIRTUAL_ENV='${shared}/lambda-train/environments/${key}/venv'`);
      expect(await logOf(two.home, "setup")).not.toContain("Making a virtual environment");

      await writeFile(join(two.home, "work/more.txt"), "-r requirements.txt\n");
      expect(await sendTo(other, plan("v2", "more.txt"))).toMatchObject({ code: 0 });
      expect(await logOf(two.home, "setup")).toMatch(
        /environment\.cache: more\.txt names other files or paths of the workspace\. The environment is made for this machine/,
      );
      expect(await activated(two.home)).toContain(`${two.home}/.lambda-train/envs/work/venv`);
      expect(await made()).toHaveLength(1);
    });
  });
});
