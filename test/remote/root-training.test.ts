import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const user = 65_534;

/** Becomes root in real and effective user, as sudo does, and stays in between as sudo does: it passes a TERM on. */
const sudo = (setpriv: string): string => `#!/bin/bash
while [[ "$1" == -* ]]; do shift; done
if [ "$EUID" != 0 ]; then exec ${setpriv} --reuid=0 --regid=0 --clear-groups env -i PATH="$PATH" "$0" "$@"; fi
"$@" &
trap 'kill -TERM $!' TERM
code=0
wait $! || code=$?
while kill -0 $! 2>/dev/null; do code=0; wait $! || code=$?; done
exit "$code"
`;

const trainer = `
import os, signal, sys, time
def stop(*_):
    open("saved", "w").write("uid %d" % os.getuid())
    sys.exit(0)
signal.signal(signal.SIGTERM, stop if sys.argv[1] == "saves" else signal.SIG_IGN)
time.sleep(1)
print("step 1 loss 2", flush=True)
time.sleep(float(sys.argv[2]))
sys.exit(5)
`;

/** Training as root under a user who is not: a login there may neither signal it nor read its environment. */
describe.skipIf(process.getuid?.() !== 0)(
  "training as root (needs root to make another user's login)",
  {
    timeout: 60_000,
  },
  () => {
    const host = useScriptHost({ uid: user });
    const runs = new RunHost(host);
    // Other trainings may run on this machine.
    const mark = `root-training-${process.pid}`;
    const train = (how: string, seconds = 60): string => `sudo python3 train.py ${how} ${seconds} ${mark}`;
    const left = async (): Promise<string> =>
      (await host.session.exec(`pgrep -f '^(sudo|python3|/bin/bash .*sudo) .*[t]rain.py .*${mark}'`)).stdout;
    const prepare = (): Promise<void> => writeFile(host.home("work/train.py"), trainer);

    beforeAll(async () => {
      const setpriv = join(host.sshd.bin, "setpriv-as-root");
      await copyFile("/usr/bin/setpriv", setpriv);
      await chmod(setpriv, 0o4755);
      await writeFile(join(host.sshd.bin, "sudo"), sudo(setpriv), { mode: 0o755 });
      const { stdout } = await host.session.exec("id -u; sudo -n id -ru");
      expect(stdout).toBe(`${user}\n0\n`);
    });

    it("is supervised to its first step and its own end", async () => {
      await prepare();
      const plan = runs.plan(train("saves", 2));
      await runs.start(plan);
      expect(await runs.until(plan, "running")).toMatchObject({ firstStepLine: "step 1 loss 2" });
      expect(await runs.until(plan, "failed")).toMatchObject({ exitCode: 5 });
    });

    it("is stopped cleanly, and saves", async () => {
      await prepare();
      const plan = runs.plan(train("saves"));
      await runs.start(plan);
      await runs.until(plan, "running");
      expect(await runs.stop(plan, 10)).toMatchObject({ state: "stopped", stopReason: "test" });
      expect(await host.text("work/saved")).toBe("uid 0");
      expect(await left()).toBe("");
    });

    it("is killed where it does not listen, at its limit as well", async () => {
      await prepare();
      const plan = runs.plan(train("ignores"), { run: { maxSeconds: 3, graceSeconds: 1 } });
      await runs.start(plan);
      expect(await runs.until(plan, "stopped")).toMatchObject({ stopReason: "limit" });
      expect(await left()).toBe("");
    });

    it("is ended although its supervisor is gone", async () => {
      await prepare();
      const plan = runs.plan(train("saves"));
      await runs.start(plan);
      await runs.until(plan, "running");
      await runs.kill(plan, "supervisor");
      expect(await runs.stop(plan, 10)).toMatchObject({ state: "stopped" });
      expect(await left()).toBe("");
    });

    it("is known by what it wrote where root alone can read, and where it held files open", async () => {
      const { disk } = host.sshd;
      const system = `/var/cache/lambda-train-test-${process.pid}`;
      await mkdir(system);
      try {
        await writeFile(
          host.home("work/train.py"),
          `import os, time
os.mkdir("${disk}/root", 0o700)
open("${disk}/root/model.pt", "wb").write(bytes(2_000_000))
held = open("${system}/model.ckpt", "wb")
held.write(bytes(2_000_000))
held.flush()
print("step 1 loss 2", flush=True)
time.sleep(6)
`,
        );
        const plan = runs.plan("sudo python3 train.py");
        await runs.start(plan);
        const { writtenElsewhere } = await runs.until(plan, "finished");
        expect(writtenElsewhere?.left).toEqual(
          expect.arrayContaining([
            expect.objectContaining({
              why: expect.stringContaining("only root can read"),
              checkpoint: { path: `${disk}/root/model.pt`, bytes: 2_000_000 },
            }),
            expect.objectContaining({ checkpoint: { path: `${system}/model.ckpt`, bytes: 2_000_000 } }),
          ]),
        );
      } finally {
        await rm(system, { recursive: true });
      }
    });

    it("has its container ended, where that outlives a client that had to be killed", async () => {
      const docker = `#!/bin/bash
if [ "$1" = kill ]; then echo "$2" > "${host.home("killed")}"; exit 0; fi
trap '' TERM
echo step 1
while :; do sleep 0.1; done
`;
      await writeFile(join(host.sshd.bin, "docker"), docker, { mode: 0o755 });
      const plan = runs.plan("sudo docker run --rm --name trainer image python train.py");
      await runs.start(plan);
      await runs.until(plan, "running");
      await runs.stop(plan);
      expect(await host.text("killed")).toBe("trainer\n");
      expect(await runs.log(plan)).toContain("ended the container trainer");
    });
  },
);
