import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LambdaClient } from "../../lambda/api/client";
import { type Clock, cloudClock } from "../../lambda/api/clock";
import type { Cloud } from "../../lambda/api/connect";
import { readRefreshed, statusOrGone } from "../../lambda/life/presence";
import { FakeCloud } from "./fake-cloud";

const freePacer = { turn: async () => undefined, holdOff: async () => undefined };
const machines = 100;

describe("a refresh of a hundred instances", () => {
  let api: FakeCloud;
  let cloud: Cloud;
  let ids: string[];
  let now = 0;
  const clock: Clock = {
    ...cloudClock(),
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };

  beforeEach(async () => {
    api = await FakeCloud.start();
    ids = Array.from({ length: machines }, () => api.addInstance().id);
    const { url, apiKey } = api;
    const key = (): string => apiKey;
    const client = new LambdaClient({ baseUrl: url, apiKey: key, pacer: freePacer, clock, userAgent: "test/1" });
    cloud = { client, clock, endpoint: { url, apiKey: key, timeScale: 1, sshPort: 22, ownKey: true } };
  });
  afterEach(() => api.stop());

  const lists = (): number => api.count("GET /instances");
  const read = async (id: string): Promise<string | undefined> => (await readRefreshed(cloud, { id }))?.id;

  /** As the engine asks: the instance and its boot, some at a time, each the next when it has its answer. */
  async function inLanes(lanes: number): Promise<(string | undefined)[]> {
    const questions = ids.flatMap((id) => [id, id]);
    const answers: (string | undefined)[] = [];
    const lane = async (): Promise<void> => {
      for (let id = questions.shift(); id !== undefined; id = questions.shift()) {
        answers.push(await read(id));
        now += 100;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return answers;
  }

  test("asks by one list, however many are asked at a time", async () => {
    const answers = await inLanes(8);
    expect(new Set(answers)).toEqual(new Set(ids));
    expect(api.requests.map(({ call }) => call)).toEqual(["GET /instances"]);
  });

  test("asks again after a minute, and after this process has changed something", async () => {
    const [first = "", second = ""] = ids;
    await read(first);
    now += 59_000;
    await read(second);
    expect(lists()).toBe(1);
    now += 1_000;
    await read(second);
    expect(lists()).toBe(2);
    await cloud.client.addSshKey({ name: "key", publicKey: "ssh-ed25519 AAAA" });
    await read(second);
    expect(lists()).toBe(3);
  });

  test("takes no answer of a question that was asked while this process changed something", async () => {
    const [first = ""] = ids;
    api.surprise("POST /ssh-keys", { hang: true });
    const adding = cloud.client.addSshKey({ name: "key", publicKey: "ssh-ed25519 AAAA" }).catch(() => undefined);
    await expect.poll(() => api.count("POST /ssh-keys")).toBe(1);
    await read(first);
    await api.stop();
    await adding;
    await expect(read(first)).rejects.toThrow();
  });

  test("asks for one that the list doesn't show by its id, until it counts as gone", async () => {
    const [first = ""] = ids;
    await read(first);
    const { id } = api.addInstance();
    expect(await read(id)).toBe(id);
    expect(await read("f".repeat(32))).toBeUndefined();
    expect(lists()).toBe(1);
  });

  test("hands its answer to nobody who asks for the present", async () => {
    const [first = ""] = ids;
    await read(first);
    await cloud.client.listInstances();
    await statusOrGone(cloud, { id: first }, undefined);
    expect(lists()).toBe(3);
  });

  test("tries again where the list failed", async () => {
    api.surprise("GET /instances", { status: 502, body: "<html>" });
    expect(await inLanes(8)).toHaveLength(2 * machines);
    expect(lists()).toBe(2);
  });
});
