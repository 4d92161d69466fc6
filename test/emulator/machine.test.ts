import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Hosts, out, reach } from "./hosts";
import { call, closed, connect, exec, read, type SshTarget, sleepers, until } from "./support";

let hosts: Hosts;
beforeAll(async () => {
  hosts = await Hosts.start();
});
afterAll(() => hosts.stop());

describe("an instance", () => {
  let id: string;
  let target: SshTarget;
  let ssh: Client;
  beforeAll(async () => {
    const more = {
      hostname: "trainer",
      bootcmd: ["echo booted >>/var/log/boots"],
      write_files: [{ path: "/etc/profile.d/job.sh", content: "export JOB=1\n" }],
      runcmd: ["echo from runcmd", "touch /home/ubuntu/ran"],
    };
    ({ id, target, ssh } = await hosts.boot({ user_data: hosts.userData(more), name: "trainer" }));
  });

  test("is a host of its own", async () => {
    expect(await out(ssh, "id -un; id -u; hostname; pwd; cat /etc/lambda-image")).toBe(
      "ubuntu\n1000\ntrainer\n/home/ubuntu\nlambda-stack-22-04",
    );
    expect(await out(ssh, "echo $PATH; echo $LANG")).toMatch(/^\/usr\/local\/sbin:\/usr\/local\/bin:.*\nC.UTF-8$/);
    expect(await out(ssh, "cat /proc/1/cmdline | tr '\\0' ' '")).toContain("init.sh");
    expect(await out(ssh, "echo $SSH_CONNECTION")).toMatch(/^172\.27\.\d+\.1 \d+ 172\.27\.\d+\.2 22$/);
    expect(await out(ssh, "nvidia-smi || echo none")).toBe("none");
  });

  test("has done what user_data says, and tells so", async () => {
    expect(await out(ssh, "cloud-init status --wait")).toBe("status: done");
    expect(await out(ssh, "cat /var/log/boots; bash -lc 'echo $JOB'; ls /home/ubuntu/ran")).toBe(
      "booted\n1\n/home/ubuntu/ran",
    );
    expect(await out(ssh, "cat /var/log/cloud-init-output.log")).toContain("from runcmd");
  });

  test("has the tools of an image", async () => {
    for (const tool of [
      "git --version",
      "make --version",
      "tar --version",
      "gzip --version",
      "tmux -V",
      "sftp 2>&1 | head -1",
    ])
      expect((await exec(ssh, tool)).code, tool).toBe(0);
    // What this machine's own Python has, the instance's has: PyTorch above all.
    const script = "import ssl, ctypes, yaml, numpy, torch; torch.ones(2) @ torch.ones(2)";
    const here = spawnSync("/usr/bin/python3", ["-c", script]).status;
    expect((await exec(ssh, `python3 -c '${script}'`)).code).toBe(here);
  });

  test("sees nothing of the host: homes, state, other instances, processes, kernel settings", async () => {
    const image = "bin dev etc home lambda lib lib64 media mnt opt proc root run sbin srv sys tmp usr var";
    expect((await out(ssh, "ls -A /; ls -A /home /root")).split("\n").join(" ")).toBe(`${image} /home: ubuntu  /root:`);
    const etc = (await out(ssh, "ls -A /etc")).split("\n");
    for (const name of ["shadow", "sudoers", "pip.conf", "npmrc", "gitconfig", "apt"]) expect(etc).not.toContain(name);
    for (const path of [hosts.folder, process.cwd(), process.env.HOME ?? "/root"].filter((p) => p !== "/"))
      expect(await out(ssh, `find '${path}' -mindepth 1 2>/dev/null | head -1`), path).toBe("");
    expect(await out(ssh, `ps -e -o pid= | wc -l`).then(Number)).toBeLessThan(20);
    expect(await out(ssh, `kill -0 ${process.pid} 2>&1 || true`)).toContain("No such process");
    expect((await exec(ssh, "cat /proc/sys/kernel/panic >/proc/sys/kernel/panic")).code).not.toBe(0);
    expect((await exec(ssh, "touch /usr/bin/x")).code).not.toBe(0);
    expect(await out(ssh, "grep CapEff /proc/self/status")).toMatch(/\t0{16}$/);
    expect(await out(ssh, "cat /var/lib/cloud/seed/* | grep -c 'secret_' || true")).toBe("0");
  });

  test("has a sudo that needs no password and keeps sudo's rules", async () => {
    expect(await out(ssh, "FOO=1 sudo -n sh -c 'echo $USER $SUDO_USER $HOME [$FOO]'")).toBe("root ubuntu /root []");
    expect(await out(ssh, "FOO=1 sudo -nE sh -c 'echo $FOO'; sudo -u ubuntu A=2 sh -c 'echo $USER $A'")).toBe(
      "1\nubuntu 2",
    );
    expect(
      await out(ssh, "sudo mkdir -p /data/x && sudo chown ubuntu:ubuntu /data/x && touch /data/x/y && ls /data/x"),
    ).toBe("y");
    expect((await exec(ssh, "sudo -v && sudo -i true && sudo sh -c 'exit 7'")).code).toBe(7);
    expect((await exec(ssh, "sudo --bad ls")).code).toBe(1);
  });

  test("keeps a tmux session when the connection is lost", async () => {
    await exec(ssh, "tmux new-session -d -s job 'sleep 0.4; echo done >/tmp/job; sleep 60'");
    const lost = closed(ssh);
    expect(await hosts.admin.dropConnections(id)).toEqual({ dropped: 1 });
    await lost;
    ssh = await reach(target);
    await until("the job goes on", async () => (await out(ssh, "cat /tmp/job")) === "done");
    expect(await out(ssh, "tmux list-sessions -F '#S'")).toBe("job");
  });

  test("gets a file put into it, at once and after a restart; restarts with its disk and a new /tmp", async () => {
    await hosts.admin.putFile(id, { path: "/usr/local/bin/nvidia-smi", content: "#!/bin/sh\necho H100\n" });
    expect(await out(ssh, "nvidia-smi")).toBe("H100");
    await exec(ssh, "echo kept >~/kept; echo gone >/tmp/gone");
    await call(hosts.cloud, "POST", "/instance-operations/restart", { instance_ids: [id] });
    await until("the restart is over", async () => (await read(hosts.cloud, id)).actions.restart.available);
    ssh = await reach(target);
    expect(await out(ssh, "cat ~/kept; ls /tmp; nvidia-smi; tmux ls 2>/dev/null; cat /var/log/boots")).toBe(
      "kept\nH100\nbooted\nbooted",
    );
    expect(await out(ssh, "grep -c 'from runcmd' /var/log/cloud-init-output.log")).toBe("1");
  });

  test("ends for good: processes, disk and address", async () => {
    await exec(ssh, "tmux new-session -d -s long 'exec sleep 4242'; mkdir -p ~/stubborn/x; chmod 0500 ~/stubborn");
    await until("the process", async () => sleepers("4242") === 1);
    const disk = join(hosts.folder, "instances", id);
    expect(existsSync(disk)).toBe(true);
    await call(hosts.cloud, "POST", "/instance-operations/terminate", { instance_ids: [id] });
    await until("no process", async () => sleepers("4242") === 0);
    await expect(connect(target)).rejects.toThrow(/ECONNREFUSED/);
    await until("no disk", async () => (await read(hosts.cloud, id)).status === "terminated" && !existsSync(disk));
  });
});
