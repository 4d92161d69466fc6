import * as net from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Booted, Hosts, out } from "./hosts";
import { call, exec, networkNamespaces, read, until } from "./support";

const region = "us-east-1";
const rule = (protocol: string, source_network: string, first: number, last = first) => ({
  protocol,
  port_range: [first, last],
  source_network,
  description: "",
});
const everything = rule("all", "0.0.0.0/0", 1, 65_535);

/** Whether an instance reaches a port. What is dropped shows as a timeout, which is a No here. */
const reaches = async ({ ssh }: Booted, host: string, port: number): Promise<boolean> =>
  (await exec(ssh, `timeout 2 bash -c 'exec 3<>/dev/tcp/${host}/${port}'`)).code === 0;

/** Has an instance listen on all its addresses. */
const listen = async ({ ssh }: Booted, port: number): Promise<void> => {
  await exec(ssh, `nohup python3 -m http.server ${port} >/dev/null 2>&1 &`);
  await exec(ssh, `until (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null; do sleep 0.05; done`);
};

/** A server of this machine that says a word to everybody. */
async function serve(host: string): Promise<{ port: number; close(): void }> {
  const server = net.createServer((socket) => void socket.on("error", () => {}).end("hello\n"));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

const privateIp = async (hosts: Hosts, { id }: Booted): Promise<string> => (await read(hosts.cloud, id)).private_ip;

let hosts: Hosts;
beforeAll(async () => {
  hosts = await Hosts.start();
});
afterAll(() => hosts.stop());

describe("instances of a region", () => {
  let one: Booted;
  let two: Booted;
  let address: string;
  beforeAll(async () => {
    const body = { name: "nothing", region, rules: [] };
    const { id } = (await call(hosts.cloud, "POST", "/firewall-rulesets", body)).body.data;
    [one, two] = await Promise.all([hosts.boot({ name: "one" }), hosts.boot({ firewall_rulesets: [{ id }] })]);
    address = await privateIp(hosts, two);
  });

  test("have their private addresses, and listen on each port of them", async () => {
    expect(address).toMatch(/^172\.27\.\d+\.\d+$/);
    expect(await out(two.ssh, "hostname -I")).toBe(address);
    expect(await out(two.ssh, "getent hosts $(hostname) | tail -1")).toContain(two.target.host.replaceAll(".", "-"));
    await Promise.all([listen(one, 9000), listen(two, 9000)]);
  });

  test("reach each other where a rule lets them, and are dropped where none does", async () => {
    await until("SSH", () => reaches(one, address, 22));
    expect(await reaches(one, address, 9000)).toBe(false);
    const { id } = (await call(hosts.cloud, "GET", "/firewall-rulesets")).body.data[0];
    const from = await privateIp(hosts, one);
    await call(hosts.cloud, "PATCH", `/firewall-rulesets/${id}`, { rules: [rule("tcp", `${from}/32`, 9000)] });
    await until("the rule is in force", () => reaches(one, address, 9000));
    expect(await out(one.ssh, `curl -s -o /dev/null -w '%{http_code}' http://${address}:9000/`)).toBe("200");
    // The rule is for that instance and that port, and the other has none.
    expect(await reaches(two, from, 9000)).toBe(false);
    expect(await reaches(one, address, 9001)).toBe(false);
    await call(hosts.cloud, "PATCH", `/firewall-rulesets/${id}`, { rules: [rule("tcp", "10.0.0.0/8", 9000)] });
    await until("the rule is gone", async () => !(await reaches(one, address, 9000)));
  });

  test("reach each other over SSH, by private and by public address", async () => {
    const key = "umask 077; cat >~/key";
    const write = Buffer.from(hosts.key.privateKey).toString("base64");
    await exec(one.ssh, `echo ${write} | base64 -d | (${key})`);
    const ssh = "ssh -i ~/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
    const name = two.target.host.replaceAll(".", "-");
    expect(await out(one.ssh, `${ssh} ubuntu@${address} hostname`)).toBe(name);
    expect(await out(one.ssh, `${ssh} -p ${hosts.cloud.sshPort} ubuntu@${two.target.host} hostname`)).toBe(name);
    expect(await out(one.ssh, `${ssh} ubuntu@${address} 'echo $SSH_CONNECTION'`)).toMatch(
      new RegExp(`^${await privateIp(hosts, one)} `),
    );
  });

  test("don't reach those of another region by private addresses, and do by public ones", async () => {
    const far = await hosts.boot({ region_name: "us-west-1" });
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [everything] });
    await until("the rule is in force", () => reaches(one, address, 9000));
    expect(await reaches(one, await privateIp(hosts, far), 22)).toBe(false);
    await until("the public address", () => reaches(one, far.target.host, hosts.cloud.sshPort));
    // A rule for public addresses lets nobody in by the private one.
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [rule("tcp", "127.0.0.0/8", 22)] });
    await until("the rule is gone", async () => !(await reaches(one, address, 9000)));
    expect(await reaches(one, address, 22)).toBe(false);
    await until("the public address", () => reaches(one, far.target.host, hosts.cloud.sshPort));
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [rule("tcp", "0.0.0.0/0", 22)] });
    far.ssh.end();
  });

  test("don't reach those of another account", async () => {
    const others = await Hosts.start();
    try {
      const foreign = await others.boot();
      await call(others.cloud, "PUT", "/firewall-rules", { data: [everything] });
      expect(await reaches(one, await privateIp(others, foreign), 22)).toBe(false);
      expect(await reaches(one, foreign.target.host, others.cloud.sshPort)).toBe(false);
      foreign.ssh.end();
    } finally {
      await others.stop();
    }
  });
});

describe("the way out", () => {
  let one: Booted;
  beforeAll(async () => {
    one = await hosts.boot();
  });
  afterAll(() => void one.ssh.end());

  test("doesn't lead to this machine's loopback address, but for the API and the ports that are set", async () => {
    const server = await serve("127.0.0.1");
    try {
      expect(await reaches(one, "127.0.0.1", server.port)).toBe(false);
      expect(await reaches(one, "100.127.255.2", server.port)).toBe(false);
      expect(await reaches(one, "127.0.0.1", Number(new URL(hosts.cloud.adminUrl).port))).toBe(false);
      expect(await out(one.ssh, `curl -s -o /dev/null -w '%{http_code}' ${hosts.cloud.url}/instances`)).toBe("401");
      await hosts.admin.patchSettings({ network: { hostPorts: [server.port] } });
      await until("the port is open", () => reaches(one, "127.0.0.1", server.port));
      expect(await out(one.ssh, `cat </dev/tcp/localhost/${server.port}`)).toBe("hello");
      await hosts.admin.patchSettings({ network: { hostPorts: [] } });
      await until("the port is closed", async () => !(await reaches(one, "127.0.0.1", server.port)));
    } finally {
      server.close();
    }
  });

  const external = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4")?.address;
  test.skipIf(external === undefined)("leads to other addresses", async () => {
    const server = await serve(external as string);
    try {
      expect(await out(one.ssh, `cat </dev/tcp/${external}/${server.port}`)).toBe("hello");
    } finally {
      server.close();
    }
  });
});

describe("namespaces", () => {
  test("end with their instances, their reboots and their cloud", async () => {
    const before = networkNamespaces();
    const others = await Hosts.start();
    const added = (): number => networkNamespaces() - before;
    try {
      const { id } = await others.boot();
      await until("router and instance", async () => added() === 2);
      await call(others.cloud, "POST", "/instance-operations/restart", { instance_ids: [id] });
      await until("the restart", async () => (await read(others.cloud, id)).actions.restart.available);
      await until("router and instance, again", async () => added() === 2);
      await call(others.cloud, "POST", "/instance-operations/terminate", { instance_ids: [id] });
      await until("the router alone", async () => added() === 1);
    } finally {
      await others.stop();
    }
    expect(added()).toBe(0);
  });
});
