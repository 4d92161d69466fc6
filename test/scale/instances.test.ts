import { describe, expect, it } from "vitest";
import { Hosts } from "../emulator/hosts";
import { call, connect, exec, launch, networkNamespaces, newKeyPair, read, until } from "../emulator/support";

/** A part of the instances, in the default run of tests: `npm run test:scale` takes a hundred. */
const count = Math.max(5, Math.floor(100 / Number(process.env.SCALE_DIVISOR ?? 100)));

describe(`${count} instances of the emulated cloud`, { timeout: 20 * 60_000 }, () => {
  it("boot side by side, reach each other, and leave nothing", async () => {
    const hosts = await Hosts.start();
    try {
      const key = newKeyPair();
      const began = Date.now();
      const ids: string[] = [];
      for (let i = 0; i < count; i++) ids.push(await launch(hosts.cloud, {}, key));
      await until("all on", async () => ids.every((id) => hosts.cloud.machines.power(id) === "on"), 15 * 60_000);
      console.log(`  ${count} boots: ${((Date.now() - began) / 1000).toFixed(1)} s`);

      const all = await until("all active", async () => {
        const instances = await Promise.all(ids.map((id) => read(hosts.cloud, id)));
        return instances.every(({ status, ip }) => status === "active" && ip) && instances;
      });
      const { ip } = all[0];
      const target = { host: ip, port: hosts.cloud.sshPort, privateKey: key.privateKey };
      const ssh = await until("sshd answers", () => connect(target).catch(() => undefined));
      const others = all.slice(1).map(({ private_ip }) => private_ip);
      const dial = `for ip in ${others.join(" ")}; do (exec 3<>/dev/tcp/$ip/22 && echo "$(head -c 4 <&3)") & done; wait`;
      expect((await exec(ssh, dial)).out).toBe("SSH-\n".repeat(count - 1));
      ssh.end();

      expect(networkNamespaces()).toBe(count + 1);
      const ended = Date.now();
      await call(hosts.cloud, "POST", "/instance-operations/terminate", { instance_ids: ids });
      await until("the router alone", async () => networkNamespaces() === 1, 60_000);
      console.log(`  ${count} ends: ${((Date.now() - ended) / 1000).toFixed(1)} s`);
    } finally {
      await hosts.stop();
    }
    expect(networkNamespaces()).toBe(0);
  });
});
