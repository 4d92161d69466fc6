import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Cloud, type CloudOptions } from "../../emulator/cloud";
import { Router } from "../../emulator/network/router/router";
import { launch, newKeyPair, read, temporaryFolder, until } from "./support";

let disk: ReturnType<typeof temporaryFolder>;
let cloud: Cloud | undefined;
let said: string[] = [];
beforeEach(() => {
  disk = temporaryFolder();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cloud?.stop();
  cloud = undefined;
  disk.remove();
});

const start = async (options: CloudOptions = {}): Promise<Cloud> => {
  await cloud?.stop();
  said = [];
  cloud = await Cloud.start({ folder: disk.folder, timeScale: 600, log: (line) => said.push(line), ...options });
  return cloud;
};

/** Waits until an instance can be reached, and tells its private address. */
const privateIp = async (of: Cloud, id: string): Promise<string> => {
  const { private_ip } = await until("active", async () => {
    const now = await read(of, id);
    return now.status === "active" && of.machines.power(id) === "on" && now;
  });
  return private_ip;
};

test("where this machine refuses namespaces, instances share its network, which is said once and kept", async () => {
  vi.spyOn(Router, "start").mockRejectedValue(new Error("unshare: Operation not permitted"));
  const without = await start();
  expect(said.filter((line) => /share this machine's network/.test(line))).toEqual([
    "Instances share this machine's network, and reach what listens on its loopback address: it gives them none of their own (unshare: Operation not permitted).",
  ]);
  const id = await launch(without, {}, newKeyPair());
  expect(await privateIp(without, id)).toMatch(/^127\.(12[89]|1[3-9]\d|2\d\d)\.\d+\.\d+$/);

  // The instance keeps its addresses, and so its kind of network, although there could be another by now.
  vi.restoreAllMocks();
  const again = await start();
  expect(said.join("\n")).toContain("those that exist already do");
  expect(await privateIp(again, id)).toMatch(/^127\./);
});

test("a shared network is to be had where it is asked for", async () => {
  const shared = await start({ network: "shared" });
  expect(said.join("\n")).toContain("this was asked for");
  expect(await privateIp(shared, await launch(shared, {}, newKeyPair()))).toMatch(/^127\./);
});
