import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { cloudClock } from "../../lambda/api/clock";
import { connectCloud } from "../../lambda/api/connect";
import { askedDate } from "../../lambda/api/date";

const hourMs = 3_600_000;

describe("the clock of a cloud that runs 60 times as fast as ours", () => {
  const clock = cloudClock(60);

  test("waits for the cloud's time, and for no less than some of ours where that is asked", async () => {
    const began = Date.now();
    await clock.sleep(6_000);
    expect(Date.now() - began).toBeGreaterThanOrEqual(95);
    expect(Date.now() - began).toBeLessThan(3_000);
    expect(clock.atLeast(900, 20)).toBe(1200);
    expect(clock.atLeast(900, 5)).toBe(900);
    expect(clock.real(120)).toBe(2);
  });

  test("counts what is past in the cloud's seconds", () => {
    const seconds = clock.since(new Date(Date.now() - 10_000).toISOString());
    expect(seconds).toBeGreaterThanOrEqual(600);
    expect(seconds).toBeLessThan(900);
  });
});

describe("the date by the API", () => {
  let server: Server | undefined;
  let asked = 0;
  afterEach(() => void server?.close());

  /** An API whose clock is ahead of this machine's, or behind. */
  const apiAhead = async (ms: number): Promise<string> => {
    asked = 0;
    server = createServer((_request, answer) => {
      asked += 1;
      answer.setHeader("date", new Date(Date.now() + ms).toUTCString());
      answer.writeHead(401).end();
    });
    await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  test.each([-2 * hourMs, 2 * hourMs])("is the API's own, where this machine's clock is wrong by %i ms", async (ms) => {
    const cloud = connectCloud(await apiAhead(ms));
    expect(cloud.clock.date() - Date.now()).toBeCloseTo(0, -2);
    const date = await askedDate(cloud);
    expect(Math.abs(date - Date.now() - ms)).toBeLessThan(2_000);
    // It is asked for once.
    await askedDate(cloud);
    expect(asked).toBe(1);
    // Whoever connects to the same API knows it from then on.
    const other = connectCloud(cloud.endpoint.url);
    expect(Math.abs(other.clock.date() - Date.now() - ms)).toBeLessThan(2_000);
    expect(Math.abs(other.clock.since(new Date(Date.now() + ms - 60_000).toISOString()) - 60)).toBeLessThan(2);
  });

  test("is this machine's own where the two differ by less than an answer can tell, or where none comes", async () => {
    const near = connectCloud(await apiAhead(1_500));
    expect(Math.abs((await askedDate(near)) - Date.now())).toBeLessThan(100);
    server?.close();
    server?.closeAllConnections();
    const silent = connectCloud("http://127.0.0.1:9");
    expect(Math.abs((await askedDate(silent)) - Date.now())).toBeLessThan(100);
  });
});
