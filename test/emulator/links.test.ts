import type { Client } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Hosts, out, reach } from "./hosts";
import { call, closed, connect, exec, read, type SshTarget, until } from "./support";

let hosts: Hosts;
beforeAll(async () => {
  hosts = await Hosts.start();
});
afterAll(() => hosts.stop());

describe("the firewall", () => {
  test("lets in whom a rule of the workspace or of the instance's rulesets admits", async () => {
    const rule = (source_network: string) => ({
      protocol: "tcp",
      port_range: [22, 22],
      source_network,
      description: "",
    });
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [] });
    const body = { name: "mine", region: "us-east-1", rules: [rule("127.0.0.1")] };
    const { id } = (await call(hosts.cloud, "POST", "/firewall-rulesets", body)).body.data;
    const { target, ssh } = await hosts.boot({ firewall_rulesets: [{ id }] });
    expect(await out(ssh, "echo in")).toBe("in");
    await call(hosts.cloud, "PATCH", `/firewall-rulesets/${id}`, { rules: [rule("10.0.0.0/8")] });
    // Dropped, not refused: the caller waits in vain. Who is in stays in.
    await expect(connect(target, 300)).rejects.toThrow(/Timed out/);
    expect(await out(ssh, "echo still in")).toBe("still in");
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [rule("127.0.0.0/8")] });
    (await connect(target)).end();
    ssh.end();
  });
});

describe("a file system", () => {
  test("is shared by the instances that mount it, and outlives them", async () => {
    const create = (name: string) => call(hosts.cloud, "POST", "/filesystems", { name, region: "us-east-1" });
    const { id } = (await create("shared")).body.data;
    const [one, two] = await Promise.all([
      hosts.boot({ file_system_names: ["shared"] }),
      hosts.boot({ file_system_mounts: [{ file_system_id: id, mount_point: "/data/cache" }] }),
    ]);
    await exec(one.ssh, "echo from one >/lambda/nfs/shared/file");
    expect(await out(two.ssh, "cat /data/cache/file; hostname")).toBe(
      `from one\n${two.target.host.replaceAll(".", "-")}`,
    );
    const ids = [one.id, two.id];
    await call(hosts.cloud, "POST", "/instance-operations/terminate", { instance_ids: ids });
    await until("both gone", async () => (await read(hosts.cloud, two.id)).status === "terminated");
    const three = await hosts.boot({ file_system_names: ["shared"] });
    expect(await out(three.ssh, "cat /lambda/nfs/shared/file")).toBe("from one");
    three.ssh.end();
  });
});

describe("trouble", () => {
  let target: SshTarget;
  let ssh: Client;
  let id: string;
  beforeAll(async () => {
    await hosts.admin.addInstanceFault({ match: { name: "odd" }, trouble: { kind: "machine", machine: "aarch64" } });
    await hosts.admin.addInstanceFault({ match: { name: "odd" }, trouble: { kind: "small-disk", bytes: 200_000 } });
    await hosts.admin.addInstanceFault({ match: { name: "liar" }, trouble: { kind: "wrong-host-key" } });
    await hosts.admin.addInstanceFault({ match: { name: "late" }, trouble: { kind: "ssh-late", seconds: 1800 } });
    ({ id, target, ssh } = await hosts.boot({ name: "odd" }));
  });
  afterAll(async () => {
    ssh.end();
    await hosts.admin.removeAllFaults();
  });

  test("another machine type, and a disk that is full at once", async () => {
    expect(await out(ssh, "uname -m; arch=$(uname -sm); echo $arch")).toBe("aarch64\nLinux aarch64");
    const full = await exec(ssh, "head -c 400000 /dev/zero >~/big");
    expect(full.err).toContain("No space left on device");
  });

  test("a host key that is not the one of user_data", async () => {
    const liar = await hosts.locate(await hosts.launch({ name: "liar" }));
    await expect(reach(liar)).rejects.toThrow(/Host denied|verification failed/);
    (await connect({ ...liar, hostKey: undefined })).end();
  });

  test("sshd late by so much", async () => {
    const late = await hosts.locate(await hosts.launch({ name: "late" }));
    const start = Date.now();
    (await reach(late)).end();
    expect(Date.now() - start).toBeGreaterThan(1000);
  });

  test("connections refused, cut after so many bytes, slow, and stalled", async () => {
    const match = { instanceId: id };
    const refuse = await hosts.admin.addLinkFault({ match, trouble: { kind: "refuse" } });
    await until("refused", () =>
      connect(target).then(
        (client) => void client.end(),
        (error) => error.code === "ECONNREFUSED",
      ),
    );
    expect(await out(ssh, "echo open")).toBe("open");
    await hosts.admin.removeFault(refuse.id);

    const cut = await hosts.admin.addLinkFault({ match, times: 1, trouble: { kind: "drop-after", bytes: 100_000 } });
    const first = await reach(target);
    const lost = closed(first);
    exec(first, "head -c 1000000 /dev/zero").catch(() => {});
    await lost;
    const second = await reach(target);
    expect((await exec(second, "head -c 1000000 /dev/zero | tail -c 1")).code).toBe(0);
    expect((await exec(second, "head -c 300000 /dev/zero")).out).toHaveLength(300_000);
    await hosts.admin.removeFault(cut.id);

    const slow = await hosts.admin.addLinkFault({ match, trouble: { kind: "throttle", bytesPerSecond: 200_000 } });
    const start = Date.now();
    await exec(second, "head -c 100000 /dev/zero");
    expect(Date.now() - start).toBeGreaterThan(450);
    await hosts.admin.removeFault(slow.id);

    const stall = await hosts.admin.addLinkFault({ match, trouble: { kind: "stall" } });
    let answered = false;
    const answer = exec(second, "echo late").then((ended) => {
      answered = true;
      return ended;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(answered).toBe(false);
    await hosts.admin.removeFault(stall.id);
    expect((await answer).out).toBe("late\n");
    second.end();
  });
});
