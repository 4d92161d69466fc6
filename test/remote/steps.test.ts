import { rm, stat, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SshSession } from "../../remote/session";
import { startRelay } from "../support/relay";
import { setupPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, text, send } = host;

describe("a step", () => {
  it("runs once for the same hash and again for another, or when its result is gone", async () => {
    const once = setupPlan({ setup: "echo ran >> runs; echo last line", hash: "h1" });
    expect(await send(once)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^setup: done in \d+ s: The environment is ready/m),
    });
    expect(await send(once)).toMatchObject({ code: 0, stdout: "setup: already done\n" });
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
    const relay = await startRelay(host.sshd.access.port);
    const cut = send(slow, await SshSession.connect({ ...host.sshd.access, port: relay.port }));
    cut.catch(() => {});
    while ((await text("work/runs").catch(() => "")) !== "begun\n") await sleep(50);
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
    expect(
      (
        await host.session.exec(
          'grep -lzxF -e "LAMBDA_TRAIN_STEP=$HOME/.lambda-train/steps/setup" /proc/[0-9]*/environ 2>/dev/null',
        )
      ).stdout,
    ).toBe("");
  });

  it("has a time limit", async () => {
    const result = await send(setupPlan({ setup: "trap '' TERM; echo stuck; sleep 60", timeoutSeconds: 3 }));
    expect(result).toMatchObject({
      code: 124,
      stderr: expect.stringMatching(/stuck[\s\S]*stopped at its time limit of 3 s/),
    });
  });

  it("does not let its children eat the script, and prints no endless line", async () => {
    const result = await send(setupPlan({ setup: "cat; head -c 300000 /dev/zero | tr '\\0' x; exit 1" }));
    expect(result.code).toBe(1);
    expect(Math.max(...`${result.stdout}${result.stderr}`.split("\n").map((line) => line.length))).toBeLessThan(1100);
  });
});
