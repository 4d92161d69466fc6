import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

/** What a training writes outside of its workspace and home folder is named, whoever of its processes wrote it. */
describe("what training writes anywhere on the disk", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);

  it("is named: in folders of any name, by processes that detached, with old times, moved and appended", async () => {
    const { disk } = host.sshd;
    await mkdir(join(disk, "srv"));
    await writeFile(join(disk, "srv/from-setup.bin"), "old");
    // Below /tmp, as this disk lies, small files count only where they look like checkpoints.
    await writeFile(
      host.home("work/train.sh"),
      `cd ${disk}
mkdir -p opt/app mnt scratch anything old/deep
echo old > old/deep/a.bin; touch -d 2001-01-01 old/deep/a.bin; cp -p old/deep/a.bin opt/app/old.bin
(setsid env -i sh -c 'sleep 0.3; echo x > mnt/detached.bin' &)
echo more >> srv/from-setup.bin
echo x > $HOME/work/moved; mv $HOME/work/moved scratch/moved.bin
mkfifo anything/fifo; ln -s /etc/passwd anything/link; echo x > anything/real.bin
echo step 1
sleep 1
`,
    );
    const plan = runs.plan("bash train.sh");
    await runs.start(plan);
    const { writtenElsewhere } = await runs.until(plan, "finished");
    const left = writtenElsewhere?.left.reduce((sum, { files }) => sum + files, 0);
    expect(left).toBe(6);
    expect(writtenElsewhere?.found).toEqual([]);
  });

  it("is named by who wrote it, where the place is the system's or the file is another user's", async () => {
    const { disk } = host.sshd;
    const system = `/var/cache/lambda-train-test-${process.pid}`;
    await mkdir(system, { recursive: true });
    try {
      await mkdir(join(disk, "opt"), { recursive: true });
      await writeFile(
        host.home("work/train.py"),
        `import os, subprocess, sys, time
if sys.argv[1:]:
    held = [open(path, "wb") for path in sys.argv[1:]]
    for file in held:
        file.write(bytes(2_000_000))
        file.flush()
    if os.getuid() == 0: os.fchown(held[1].fileno(), 4242, 4242)
    time.sleep(4)
    open(os.path.dirname(sys.argv[1]) + "/again.ckpt", "wb").write(bytes(1_500_000))
else:
    subprocess.Popen(["setsid", "env", "-i", sys.executable, sys.argv[0], "${system}/model.ckpt", "${disk}/opt/model.pt"])
    print("step 1", flush=True)
    time.sleep(6)
`,
      );
      const plan = runs.plan("python3 train.py");
      await runs.start(plan);
      const { writtenElsewhere } = await runs.until(plan, "finished");
      expect(writtenElsewhere?.left).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ files: 2, checkpoint: { path: `${system}/model.ckpt`, bytes: 2_000_000 } }),
          expect.objectContaining({ checkpoint: { path: `${disk}/opt/model.pt`, bytes: 2_000_000 } }),
        ]),
      );
    } finally {
      await rm(system, { recursive: true });
    }
  });
});
