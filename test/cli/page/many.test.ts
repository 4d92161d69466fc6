import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningDashboard, startBrowser, startDashboard } from "../../support/browser";
import { Project } from "../../support/project";

const count = 100;
/** Most time of the page's thread for one update, in milliseconds: from three frames on, a person sees it stutter. */
const mostMs = 50;
const updates = 20;

/** Stands for the server: what the test tells comes in as an event, one at a time. */
const server = `
  window.EventSource = class {
    static CLOSED = 2;
    constructor() { this.listeners = {}; window.server = this; setTimeout(() => this.onopen()); }
    addEventListener(topic, listener) { this.listeners[topic] = listener; }
    close() {}
  };
  window.tellPage = (topics) => new Promise((drawn) => {
    for (const [topic, state] of Object.entries(topics)) server.listeners[topic]({ data: JSON.stringify(state) });
    // The page collects for a frame, and draws in another.
    setTimeout(() => requestAnimationFrame(() => setTimeout(drawn)), 40);
  });
`;

const report = {
  stack: "test",
  experiment: "swept",
  instance: { id: "i", type: "cpu_4x_general", region: "us-east-1", ip: "203.0.113.7", status: "active" },
  cost: { dollars: 2.5, dollarsPerHour: 20, budgetDollars: 30, dollarsLeft: 27.5, hoursLeft: 1.4 },
  run: { state: "running", attempt: 1, startedAt: "2026-01-01T00:00:00.000Z" },
  results: null,
};
const runs = Array.from({ length: count }, (_, at) => ({
  ...{ name: `run-${at}`, machine: `machine-${at}`, experiment: "swept", shown: at === 36 },
}));

/** The sweep at some time: each trial has come to another value. */
const sweepAt = (time: number): object => ({
  ...{ experiment: "swept", metric: "valid_loss", direction: "minimize", params: ["lr", "width", "optimizer"] },
  ...{ wanted: count, best: time % count, importance: { lr: 0.7, width: 0.2, optimizer: 0.1 } },
  trials: Array.from({ length: count }, (_, number) => ({
    ...{ number, machine: `machine-${number}`, attempt: 1, state: number < time ? "complete" : "running" },
    ...{ params: { lr: 0.1 / (number + 1), width: 2 ** (number % 8), optimizer: number % 2 ? "adam" : "sgd" } },
    ...{ value: 1 / (1 + number + time), values: [], startedAt: 1e9, endedAt: number < time ? 1e9 + time : null },
  })),
});

describe(`the dashboard page with ${count} machines at work`, { timeout: 60_000 }, () => {
  const project = new Project();
  let browser: Browser;
  let dashboard: RunningDashboard;
  let page: Page;
  let session: CDPSession;

  beforeAll(async () => {
    await project.init();
    [browser, dashboard] = await Promise.all([startBrowser(), startDashboard(project)]);
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.addInitScript(server);
    session = await page.context().newCDPSession(page);
    // The thread's own time: what others do on this machine meanwhile doesn't count.
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(dashboard.url);
    await page.waitForFunction("window.server !== undefined");
    await tell({ stack: { name: "test" }, link: { state: "connected" }, report, runs, sweep: sweepAt(0) });
    await page.locator(`#sweep tr[data-trial='${count - 1}']`).waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await project.dispose();
  });

  const tell = (topics: Readonly<Record<string, unknown>>): Promise<void> =>
    page.evaluate(`tellPage(${JSON.stringify(topics)})`);

  /** Milliseconds that the page's thread has worked so far. */
  const worked = async (): Promise<number> => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
  };

  /** Milliseconds that each of several took. */
  const each = async (what: string, work: (at: number) => Promise<unknown>): Promise<number> => {
    const before = await worked();
    for (let at = 1; at <= updates; at++) await work(at);
    const ms = ((await worked()) - before) / updates;
    console.log(`  ${what}: ${ms.toFixed(1)} ms`);
    return ms;
  };

  it("shows an update of all of them at once", async () => {
    const ms = await each("an update of all trials", (at) => tell({ sweep: sweepAt(at) }));
    expect(await page.locator("#sweep tbody tr").count()).toBe(count);
    expect(await page.locator("#sweep").textContent()).toContain(`${count} trials: ${updates} complete`);
    expect(ms).toBeLessThan(mostMs);
  });

  it("follows the pointer over them", async () => {
    const rows = page.locator("#sweep tbody tr");
    const ms = await each("a move of the pointer", async (at) => {
      await rows.nth(at).hover();
      await tell({});
    });
    expect(await page.locator("polyline.marked").getAttribute("data-line")).toBe(`${updates}`);
    expect(ms).toBeLessThan(mostMs);
  });

  it("finds one as somebody types", async () => {
    await page.locator("#runs summary").click();
    const ms = await each("a letter of a search", async (at) => {
      await page.locator("#runs input").fill(at % 2 === 0 ? "" : "-9");
      await tell({});
    });
    expect(await page.locator("#runs li").count()).toBe(count);
    expect(ms).toBeLessThan(mostMs);
  });
});
