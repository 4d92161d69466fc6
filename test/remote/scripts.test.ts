import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DatasetPlan, EnvironmentPlan } from "../../plan/types";
import { archivePath, datasetPath, renderExtract, renderSetup, renderVerify, uploadName } from "../../remote/scripts";
import { type ExecResult, SshSession } from "../../remote/session";
import { hashFile } from "../../remote/transfer/hashes";
import { uploadTree } from "../../remote/transfer/upload";
import { walkAll } from "../../remote/transfer/walk";
import { startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";
import { testPlan } from "./plan";

const run = promisify(execFile);
const folder = join(__dirname, "../../scripts/remote");

let sshd: TestSshd;
let session: SshSession;

beforeAll(async () => {
  sshd = await startSshd();
  session = await SshSession.connect(sshd.access);
});

afterAll(async () => {
  session?.close();
  await sshd?.stop();
});

beforeEach(async () => {
  for (const name of await readdir(sshd.home)) {
    await rm(join(sshd.home, name), { recursive: true, force: true });
  }
  await mkdir(join(sshd.home, "work"));
});

const home = (...parts: string[]): string => join(sshd.home, ...parts);
const text = (...parts: string[]): Promise<string> => readFile(home(...parts), "utf8");
const send = (stdin: string, through: SshSession = session): Promise<ExecResult> =>
  through.exec("bash -s", { stdin, timeoutSeconds: 60 });

describe("the scripts", () => {
  it("pass shellcheck", async () => {
    const scripts = (await readdir(folder)).filter((name) => name.endsWith(".sh"));
    const check = run("shellcheck", ["--external-sources", ...scripts.map((name) => join(folder, name))]);
    const output = await check.then(
      ({ stdout }) => stdout,
      (error: { code: string; stdout: string }) =>
        error.code === "ENOENT" ? "shellcheck is missing: apt-get install shellcheck" : error.stdout,
    );
    expect(output).toBe("");
  });

  it("say how they are called, and refuse other calls", async () => {
    for (const name of await readdir(folder)) {
      const content = await readFile(join(folder, name), "utf8");
      expect(content, name).toMatch(name.endsWith(".py") ? /^(#!.*\n)?"""/ : /^#!\/usr\/bin\/env bash\n# |^external/);
    }
    for (const name of [
      "step.sh",
      "run.sh",
      "status.sh",
      "stop.sh",
      "evaluate.sh",
      "follow.sh",
      "setup.sh",
      "extract.sh",
      "verify.sh",
    ]) {
      const result = await run("bash", [join(folder, name)], {
        env: { HOME: sshd.home, PATH: process.env.PATH },
      }).catch((e: unknown) => e);
      expect(result, name).toMatchObject({ code: 2, stderr: expect.stringMatching(/usage|is not set/) });
    }
  });
});

const setupPlan = (environment: Partial<EnvironmentPlan>): string =>
  renderSetup(testPlan({ environment: { ...testPlan().environment, ...environment } }));

describe("a step", () => {
  it("runs once for the same hash and again for another, or when its result is gone", async () => {
    const once = setupPlan({ setup: "echo ran >> runs; echo last line", hash: "h1" });
    expect(await send(once)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^setup: done in \d+ s: The environment is ready/),
    });
    const started = Date.now();
    expect(await send(once)).toMatchObject({ code: 0, stdout: "setup: already done\n" });
    expect(Date.now() - started).toBeLessThan(3000);
    await send(setupPlan({ setup: "echo ran >> runs", hash: "h2" }));
    await rm(home(".lambda-train/env.sh"));
    await send(setupPlan({ setup: "echo ran >> runs", hash: "h2" }));
    expect(await text("work/runs")).toBe("ran\n".repeat(3));
  });

  it("that fails ends with its status and the end of its log, and runs again next time", async () => {
    const failing = setupPlan({
      setup: "test -f fixed && exit 0; seq 1 100; printf 'bar 1%%\\rbar 2%%\\n'; echo why it failed >&2; exit 7",
    });
    const result = await send(failing);
    expect(result.code).toBe(7);
    expect(result.stderr).toMatch(/bar 1%\nbar 2%\nwhy it failed\nThe setup command ended with status 7/);
    expect(result.stderr).toContain(home(".lambda-train/steps/setup/log"));
    expect(result.stderr.split("\n").length).toBeLessThan(46);
    await writeFile(home("work/fixed"), "");
    expect((await send(failing)).code).toBe(0);
  });

  it("goes on when the connection breaks, and is waited for by the next call", async () => {
    const slow = setupPlan({ setup: "echo begun >> runs; sleep 3; echo ended >> runs" });
    const relay = await startRelay(sshd.access.port);
    const cut = send(slow, await SshSession.connect({ ...sshd.access, port: relay.port }));
    cut.catch(() => {});
    await sleep(1500);
    relay.cut();
    await expect(cut).rejects.toThrow("lost");
    expect(await send(slow)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("already running, waiting for it"),
    });
    expect(await text("work/runs")).toBe("begun\nended\n");
    await relay.close();
  });

  it("is stopped with all it started when its inputs change", async () => {
    const old = send(setupPlan({ setup: "echo $$ > pid; setsid sleep 77 & sleep 88", hash: "old" }));
    while (!(await stat(home("work/pid")).catch(() => undefined))) {
      await sleep(50);
    }
    const fresh = await send(setupPlan({ setup: "echo fresh", hash: "new" }));
    expect(fresh).toMatchObject({ code: 0, stdout: expect.stringContaining("its inputs have changed") });
    expect((await old).code).toBe(125);
    expect((await session.exec("grep -lzxF -e LAMBDA_TRAIN_STEP=setup /proc/[0-9]*/environ 2>/dev/null")).stdout).toBe(
      "",
    );
  });

  it("has a time limit", async () => {
    const result = await send(setupPlan({ setup: "trap '' TERM; echo stuck; sleep 60", timeoutSeconds: 1 }));
    expect(result).toMatchObject({
      code: 124,
      stderr: expect.stringMatching(/stuck[\s\S]*stopped at its time limit of 1 s/),
    });
  });

  it("does not let its children eat the script, and prints no endless line", async () => {
    const result = await send(setupPlan({ setup: "cat; head -c 300000 /dev/zero | tr '\\0' x; exit 1" }));
    expect(result.code).toBe(1);
    expect(Math.max(...`${result.stdout}${result.stderr}`.split("\n").map((line) => line.length))).toBeLessThan(400);
  });
});

describe("setup", () => {
  it("answers questions as often as asked, or closes standard input", async () => {
    const ask = "for i in 1 2 3; do read -r a || { echo no answer; exit 4; }; echo got $a; done";
    await send(setupPlan({ setup: `${ask} > answers`, answer: "y es" }));
    expect(await text("work/answers")).toBe("got y es\n".repeat(3));
    expect((await send(setupPlan({ setup: ask, answer: "", hash: "other" }))).code).toBe(4);
  });

  it("gives variables to later steps, keeps them to itself and turns wandb off without a key", async () => {
    const show = 'printf "%s|%s|%s" "$TOKEN" "$PYTHONUNBUFFERED" "$WANDB_MODE" > seen';
    await send(setupPlan({ setup: show, variables: { TOKEN: "a'b\"c\n$d" } }));
    expect(await text("work/seen")).toBe("a'b\"c\n$d|1|offline");
    expect((await stat(home(".lambda-train/env.sh"))).mode & 0o77).toBe(0);
    await send(setupPlan({ setup: show, variables: { WANDB_API_KEY: "k" }, hash: "other" }));
    expect(await text("work/seen")).toBe("|1|");
  });

  it("needs no environment where Python has what requirements ask for", async () => {
    await writeFile(home("work/requirements.txt"), "# tools\npip>=1  # any\n\nnothing-here; python_version < '3'\n");
    expect((await send(setupPlan({ manager: "auto" }))).code).toBe(0);
    expect(await text(".lambda-train/steps/setup/log")).toContain("already has what requirements.txt asks for");
  });

  it("makes a virtual environment over the system's packages for what is missing", async () => {
    await mkdir(home("work/package"));
    await writeFile(
      home("work/package/setup.py"),
      "from setuptools import setup\nsetup(name='lt-probe', version='1.0', py_modules=['lt_probe'])\n",
    );
    await writeFile(home("work/package/lt_probe.py"), "value = 42\n");
    await writeFile(home("work/requirements.txt"), "./package\n");
    const show = "python3 -c 'import lt_probe, sys; print(lt_probe.value, sys.prefix)' > seen";
    const variables = { PIP_NO_INDEX: "1", PIP_NO_BUILD_ISOLATION: "0" };
    const plan = testPlan({ environment: { ...testPlan().environment, manager: "auto", setup: show, variables } });
    const result = await session.exec("PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 bash -s", {
      stdin: renderSetup(plan),
      timeoutSeconds: 60,
    });
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(await text("work/seen")).toBe(`42 ${home(".lambda-train/envs/work/venv")}\n`);
  });

  it("makes a conda environment with what is there, and says what is missing", async () => {
    await writeFile(home("work/environment-gpu.yml"), "name: x\n");
    await writeFile(
      join(sshd.bin, "micromamba"),
      '#!/bin/bash\nwhile [ "$1" != -p ]; do shift; done\nmkdir -p "$2/bin"; printf "#!/bin/sh\\necho from conda\\n" > "$2/bin/tool"; chmod +x "$2/bin/tool"\n',
      { mode: 0o755 },
    );
    expect((await send(setupPlan({ manager: "auto", setup: "tool > seen" }))).code).toBe(0);
    expect(await text("work/seen")).toBe("from conda\n");
    await rm(join(sshd.bin, "micromamba"));
    await rm(home("work/environment-gpu.yml"));
    const missing = await send(setupPlan({ manager: "conda", hash: "other" }));
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("name it in environment.file") });
  });
});

describe("the dataset", () => {
  const datasetPlan = (
    source: DatasetPlan["source"],
    changes: Partial<DatasetPlan> = {},
  ): ReturnType<typeof testPlan> =>
    testPlan({ dataset: { source, target: "data", splits: ["train", "test"], hash: "d1", ...changes } });
  const archivePlan = datasetPlan({ kind: "archive", path: "/local/data.tar.gz" });

  const archive = async (commands: string, to: string = home(archivePath(archivePlan))): Promise<void> => {
    await mkdir(join(to, ".."), { recursive: true });
    await run("bash", ["-ec", `rm -rf "$HOME/.make"; mkdir "$HOME/.make"; cd "$HOME/.make"; ${commands}`], {
      env: { HOME: sshd.home, PATH: process.env.PATH, OUT: to },
    });
  };
  const fill = "mkdir -p train test; echo a > train/a; echo b > 'test/b c'";

  it.each([
    ["tar.gz", `${fill}; tar -czf "$OUT" train test`],
    ["tar", `mkdir data; cd data; ${fill}; cd ..; tar -cf "$OUT" data`],
    [
      "tar.zst in one folder",
      `mkdir MathWriting; cd MathWriting; ${fill}; cd ..; tar -cf - MathWriting | zstd -q > "$OUT"`,
    ],
    ["zip", `${fill}; python3 -m zipfile -c "$OUT" train test`],
  ])("comes out of a %s archive, replaces the old one, once", async (_, commands) => {
    await archive(commands);
    await mkdir(home("work/data/train"), { recursive: true });
    await writeFile(home("work/data/train/old"), "");
    const result = await send(renderExtract(archivePlan));
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(await text("work/data/test/b c")).toBe("b\n");
    expect(await readdir(home("work/data/train"))).toEqual(["a"]);
    expect(await readdir(home("work"))).toEqual(["data"]);
    expect((await send(renderExtract(archivePlan))).stdout).toBe("dataset: already done\n");
  });

  it.each([
    ["climbs out", `${fill}; echo x > e; tar -czPf "$OUT" --transform 's,^e,../../evil,' train test e`],
    ["is absolute", `${fill}; echo x > e; tar -czPf "$OUT" --transform 's,^e,/tmp/lt-evil,' train test e`],
    ["links out", `${fill}; ln -s ../../../.ssh train/keys; tar -czf "$OUT" train test`],
    [
      "writes through a link",
      `${fill}; ln -s train l; tar -cf "$OUT" train test l; rm l; mkdir l; echo x > l/x; tar -rf "$OUT" l/x`,
    ],
    [
      "hard-links out",
      `${fill}; echo x > h; ln h train/h; tar -czPf "$OUT" --transform 's,^h$,/etc/passwd,' train test h`,
    ],
    ["has a pipe", `${fill}; mkfifo train/p; tar -czf "$OUT" train test`],
  ])("is refused from an archive that %s", async (_, commands) => {
    await archive(commands);
    const result = await send(renderExtract(archivePlan));
    expect(result).toMatchObject({ code: 4, stderr: expect.stringContaining("The archive is refused") });
    await expect(stat(home("work/data"))).rejects.toThrow("ENOENT");
    expect(await readdir(home("work"))).toEqual([]);
  });

  it("tells a damaged archive, a missing one, and missing splits", async () => {
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("upload did not finish"),
    });
    await archive(`${fill}; tar -czf "$OUT" train test; truncate -s 90 "$OUT"`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("could not be extracted"),
    });
    await archive(`${fill}; tar -czf "$OUT" train`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("no folders train, test on top; it has: train"),
    });
    await archive(`mkdir train test; tar -czf "$OUT" train test`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("holds no file"),
    });
  });

  it("on a file system is linked to, in place of what was there", async () => {
    const plan = datasetPlan({ kind: "fileSystem", path: home("nfs/set") });
    expect(await send(renderExtract(plan))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("Is the file system attached"),
    });
    for (const split of ["train", "test"]) {
      await mkdir(home("nfs/set", split), { recursive: true });
      await writeFile(home("nfs/set", split, "f"), "");
    }
    await mkdir(home("work/data/junk"), { recursive: true });
    expect((await send(renderExtract(plan))).code).toBe(0);
    expect((await stat(home("work/data/train/f"))).isFile()).toBe(true);
    expect(
      (await send(renderExtract(datasetPlan({ kind: "fileSystem", path: home("nfs/set") }, { hash: "d2" })))).code,
    ).toBe(0);
    expect(await readdir(home("nfs/set"))).toEqual(["test", "train"]);
  });

  describe("at an address", () => {
    let server: Server;
    let url: string;
    let file: Buffer;
    const asked: string[] = [];
    let breakAt: number | undefined;

    beforeAll(async () => {
      const pem = join(sshd.bin, "..");
      await run("openssl", [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        join(pem, "key.pem"),
        "-out",
        join(pem, "cert.pem"),
      ]);
      const tls = { key: await readFile(join(pem, "key.pem")), cert: await readFile(join(pem, "cert.pem")) };
      server = createServer(tls, (request, response) => {
        asked.push(`${request.method} ${request.headers.range ?? ""}`);
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const status = request.headers.range === undefined ? 200 : from < file.length ? 206 : 416;
        const range = status === 206 ? { "content-range": `bytes ${from}-${file.length - 1}/${file.length}` } : {};
        response.writeHead(status, {
          "content-length": status === 416 ? 0 : file.length - from,
          etag: '"one"',
          ...range,
        });
        if (request.method === "HEAD" || status === 416) {
          response.end();
        } else if (breakAt !== undefined) {
          response.write(file.subarray(from, breakAt), () => response.destroy());
          breakAt = undefined;
        } else {
          response.end(file.subarray(from));
        }
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `https://127.0.0.1:${(server.address() as { port: number }).port}/data.tar?token="secret"`;
    });

    afterAll(() => server?.close());

    it("is fetched by the instance, from where it broke, and checked", async () => {
      await archive(`${fill}; head -c 500000 /dev/urandom > train/noise; tar -czf "$OUT" train test`, home("made"));
      file = await readFile(home("made"));
      const sha256 = await hashFile(home("made"));
      const trusted = `export CURL_CA_BUNDLE=${join(sshd.bin, "../cert.pem")}\n`;
      breakAt = 200_000;
      const plan = datasetPlan({ kind: "url", url, sha256 });
      const result = await send(trusted + renderExtract(plan));
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(asked).toEqual(["HEAD ", "GET ", expect.stringMatching(/^GET bytes=[1-9]\d+-$/)]);
      expect((await stat(home("work/data/train/noise"))).size).toBe(500_000);
      const wrong = datasetPlan({ kind: "url", url, sha256: "0".repeat(64) }, { hash: "d2" });
      expect(await send(trusted + renderExtract(wrong))).toMatchObject({
        code: 5,
        stderr: expect.stringContaining(`${sha256}, expected 000`),
      });
      expect((await stat(home("work/data/train/noise"))).size).toBe(500_000);
    });
  });
});

describe("the gate", () => {
  const gate = { gpu: "optional", minDiskGiB: 0, modules: ["json"], timeoutSeconds: 30 } as const;
  /** Evidence by check, of those that hold (`ok`) or fail (`FAIL`). */
  const evidence = (result: ExecResult, word: "ok" | "FAIL"): Record<string, string> =>
    Object.fromEntries(
      [...result.stdout.matchAll(/^(ok|FAIL) ([^:]+): (.*)$/gm)]
        .filter(([, found]) => found === word)
        .map(([, , name, detail]) => [name, detail]),
    );

  it("holds with evidence for each check", async () => {
    await mkdir(home("source/train"), { recursive: true });
    await writeFile(home("source/train/a b"), "1");
    const dataset: DatasetPlan = {
      source: { kind: "folder", path: "/x" },
      target: "data",
      splits: ["train"],
      hash: "d",
    };
    const plan = testPlan({
      dataset,
      gate: { ...gate, command: "test -d data", architecture: process.arch === "x64" ? "x86_64" : "aarch64" },
    });
    await uploadTree(session, { tree: await walkAll(home("source")), remoteRoot: "work", name: uploadName("work") });
    await uploadTree(session, {
      tree: await walkAll(home("source")),
      remoteRoot: datasetPath(plan),
      name: uploadName(datasetPath(plan)),
    });
    const result = await send(renderVerify(plan));
    expect(result.code, result.stdout).toBe(0);
    expect(result.stdout).toMatch(/^ok workspace: .*\nok architecture: /);
    expect(Object.keys(evidence(result, "ok"))).toEqual([
      "workspace",
      "architecture",
      "disk",
      "tmux",
      "upload work",
      "upload work-data",
      "dataset train",
      "driver",
      "cuda",
      "module json",
      "command",
    ]);
    await rm(home("work/data/train/a b"));
    const gone = await send(renderVerify(plan));
    expect(gone.code).toBe(1);
    expect(Object.keys(evidence(gone, "FAIL"))).toEqual(["upload work-data", "dataset train"]);
  });

  it("fails with all evidence at once and what to do", async () => {
    await writeFile(join(sshd.bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2; exit 9\n", {
      mode: 0o755,
    });
    const plan = testPlan({
      gate: {
        gpu: "required",
        minDiskGiB: 9_999_999,
        modules: ["no_such_module"],
        timeoutSeconds: 30,
        architecture: "pdp11",
        command: "echo '\"quoted\"\\ tail'; exit 3",
      },
    });
    const result = await send(renderVerify(plan));
    await rm(join(sshd.bin, "nvidia-smi"));
    expect(result.code).toBe(1);
    const failed = evidence(result, "FAIL");
    expect(failed).toEqual({
      architecture: expect.stringContaining("gate.architecture asks for pdp11"),
      disk: expect.stringContaining("gate.minDiskGiB asks for 9999999"),
      "upload work": expect.stringContaining("no finished upload"),
      driver: expect.stringContaining("NVIDIA-SMI has failed"),
      cuda: expect.stringMatching(/torch/),
      "module no_such_module": expect.stringContaining("ModuleNotFoundError"),
      command: expect.stringContaining('ended with status 3: "quoted"\\ tail'),
    });
  });

  it("believes a GPU that driver and torch show", async () => {
    await writeFile(join(sshd.bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA H100, 570.1, 81559 MiB'\n", { mode: 0o755 });
    await mkdir(home("work/torch"));
    await writeFile(
      home("work/torch/__init__.py"),
      "__version__ = '2.9'\nclass version: cuda = '12.8'\nclass cuda:\n    is_available = staticmethod(lambda: True)\n    device_count = staticmethod(lambda: 8)\n    get_device_name = staticmethod(lambda i: 'NVIDIA H100')\n",
    );
    const result = await send(renderVerify(testPlan({ gate: { ...gate, gpu: "required" } })));
    await rm(join(sshd.bin, "nvidia-smi"));
    expect(result.stdout).toContain("ok driver: NVIDIA H100, 570.1, 81559 MiB");
    expect(result.stdout).toContain("ok cuda: torch 2.9, CUDA 12.8, 8 x NVIDIA H100");
  });
});
