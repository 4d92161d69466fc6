import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { stopRun } from "../../remote/run";
import { renderVerify } from "../../remote/scripts";
import { dockerStandIn } from "../support/docker";
import { machineOf, setupPlan, testPlan } from "./plan";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);
const { home, text, send } = host;
const image = "registry.example:5000/team/train:v1";

const docker = (): string => join(host.sshd.bin, "docker");
/** Arguments of all calls of Docker's client since the test began. */
const calls = async (): Promise<string[][]> =>
  (await text("docker.log"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const inside = async (words: readonly string[], experiment = ""): Promise<string> =>
  (await host.ask("exec", { experiment, folder: "work", words })).stdout;
const logOfSetup = (): Promise<string> => text(".lambda-train/steps/setup/log");

describe("a container image as environment", () => {
  beforeEach(async () => {
    const init = join(host.sshd.bin, "docker-init");
    await copyFile("/usr/bin/bwrap", init);
    await writeFile(docker(), dockerStandIn({ init }), { mode: 0o755 });
  });

  it("runs setup and commands, with the image's variables, its entrypoint's and the experiment's", async () => {
    const setup = 'printf "%s|%s|%s|%s" "$IS_IMAGE" "$FROM_ENTRYPOINT" "$TOKEN" "$PATH" > seen';
    const variables = { TOKEN: "a secret value", PATH: "/opt/tool:$PATH" };
    const made = await send(setupPlan({ image, setup, manager: "auto", variables }));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const [isImage, fromEntrypoint, token, path] = (await text("work/seen")).split("|");
    expect([isImage, fromEntrypoint, token]).toEqual(["yes", "yes", "a secret value"]);
    const user = home(".lambda-train/container/user/abababababab/bin");
    expect(path).toBe(`/opt/tool:${user}:/image/bin:/usr/bin:/bin`);
    expect(await inside(["bash", "-c", "pwd; echo $IS_IMAGE $FROM_ENTRYPOINT"])).toBe(`${home("work")}\nyes yes\n`);
    expect(await logOfSetup()).toContain(`Environment: the image ${image} (sha256:abababababab)`);
    // A login on the machine has none of it.
    const login = await host.session.exec(". ~/.lambda-train/env.sh; echo $IS_IMAGE$FROM_ENTRYPOINT$PYTHONUSERBASE");
    expect(login.stdout).toBe("\n");
  });

  it("is run as this user, on the machine's network, read-only but for folders that outlive it; no value is in argv", async () => {
    await send(setupPlan({ image, setup: "true", variables: { TOKEN: "a secret value" } }));
    const run = (await calls()).filter(([verb]) => verb === "run").at(-1) ?? [];
    const line = run.join(" ");
    expect(line).toContain(`--user ${process.getuid?.()}:${process.getgid?.()} --workdir ${home("work")}`);
    expect(line).toContain("run --rm --init --interactive --name lambda-train-");
    expect(line).toContain("--network host --ipc host");
    expect(line).toContain(`--read-only`);
    for (const folder of [home(), "/tmp"])
      expect(line).toContain(`--mount type=bind,source=${folder},target=${folder} `);
    expect(line).toContain(`--entrypoint bash sha256:${"ab".repeat(32)} -c`);
    expect(line).not.toContain("--gpus");
    expect(JSON.stringify(await calls())).not.toContain("secret value");
    expect((await text(".lambda-train/container/passwd")).split("\n")[0]).toContain(`:${home()}:/bin/bash`);
  });

  it("passes the gate by what its own Python and programs are", async () => {
    await send(setupPlan({ image, setup: "true" }));
    const gate = { gpu: "optional", minDiskGiB: 0, modules: ["json"], timeoutSeconds: 30 } as const;
    const verify = (command: string) =>
      send(renderVerify(machineOf(testPlan({ dataset: undefined, gate, run: { command } }))));
    const right = await verify("python3 train.py");
    expect(right.stdout).toContain(`ok container: ${image}\n`);
    expect(right.stdout).toContain("ok module json");
    const lacking = await verify("nosuchmake train");
    expect(lacking.stdout).toContain(
      `FAIL container: ${image} has no nosuchmake, which training calls: build an image with it, or change train.command`,
    );
    await rm(docker());
    expect((await verify("python3 train.py")).stdout).toMatch(/FAIL container: .* does not run: /);
  });

  it("trains, and a clean stop gives the program one TERM, although processes are the container's", async () => {
    await send(setupPlan({ image }));
    await writeFile(
      home("work/train.py"),
      "import os, signal, sys, time\nterms = []\nsignal.signal(signal.SIGTERM, lambda *_: terms.append(1))\n" +
        "print('step 1 loss 3', os.environ['IS_IMAGE'], os.getpid(), flush=True)\nwhile not terms: time.sleep(0.05)\n" +
        "time.sleep(0.5)\nprint('terms:', len(terms), flush=True)\nopen('checkpoint', 'w').write('saved')\nsys.exit(143)\n",
    );
    await writeFile(home("work/Makefile"), "train:\n\tpython3 train.py | tee copy.log\n\ttouch next\n");
    const plan = runs.plan("make train");
    await runs.start(plan);
    await runs.until(plan, "running");
    // Where something of the container counted as training that doesn't end by itself, all of it would be waited for.
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "destroy", graceSeconds: 300 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "destroy" });
    const log = await readFile(stopped.logPath, "utf8");
    // A process number of the container's own.
    expect(log).toMatch(/step 1 loss 3 yes \d{1,2}\n/);
    expect(log).toContain("terms: 1\n");
    expect(await text("work/checkpoint")).toBe("saved");
    await expect(text("work/next")).rejects.toThrow("ENOENT");
    const left = await host.session.exec(
      `grep -lzxF -e LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ 2>/dev/null`,
    );
    expect(left.stdout).toBe("");
  });

  it("hands training's exit status on, and is over with the image", async () => {
    await send(setupPlan({ image, setup: "true" }));
    const plan = runs.plan("echo step 1 loss 1; exit 7");
    await runs.start(plan);
    expect(await runs.until(plan, "failed")).toMatchObject({ exitCode: 7 });
    await send(setupPlan({ setup: 'printf "%s" "$IS_IMAGE" > seen', hash: "other" }));
    expect(await text("work/seen")).toBe("");
  });

  it("says what is missing: Docker, or the image", async () => {
    const absent = await send(setupPlan({ image: "team/missing:v2", hash: "absent" }));
    expect(absent).toMatchObject({ code: 3 });
    expect(absent.stderr).toMatch(
      /docker pull team\/missing:v2 failed: Error response from daemon: .* manifest unknown\. Check environment\.image\./,
    );
    await rm(docker());
    const path = "PATH=/usr/bin:/bin";
    const without = await host.session.exec(`${path} bash -s`, { stdin: setupPlan({ image, hash: "without" }) });
    expect(without.stderr).toMatch(
      /environment\.image needs Docker, and this instance has no `docker` on its PATH\. Choose an instance and an imageFamily/,
    );
  });
});
