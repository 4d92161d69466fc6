import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { newEd25519 } from "../../lambda/account/ed25519";
import { bringHome } from "../../remote/results";
import { testPlan } from "./plan";

test("results of many machines come home some at a time; who waits stops waiting when interrupted", async () => {
  const sockets: Socket[] = [];
  // It lets everybody in and says nothing.
  const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { privateKey, publicKey: hostKey } = newEd25519();
  const access = { host: "127.0.0.1", port, user: "nobody", privateKey, hostKey };
  const place = { instanceId: "i-1", access, run: testPlan().run, workspace: "work", directory: "/nowhere" };
  const stop = new AbortController();
  const phases: string[] = [];
  const downloads = Array.from({ length: 9 }, () =>
    bringHome(place, { status: (phase) => phases.push(phase), interrupted: stop.signal }).catch(
      (error: Error) => error.message,
    ),
  );
  await expect.poll(() => sockets.length).toBe(8);
  await sleep(100);
  expect(sockets).toHaveLength(8);
  expect(phases.filter((phase) => phase === "waiting for other downloads")).toHaveLength(9);
  stop.abort(new Error("interrupted"));
  server.close();
  for (const socket of sockets) socket.destroy();
  expect(await downloads[8]).toBe("interrupted");
  await Promise.all(downloads);
});
