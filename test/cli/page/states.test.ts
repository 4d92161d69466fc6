import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningDashboard, startBrowser, startDashboard } from "../../support/browser";
import { Project } from "../../support/project";

/** States that are rare or need a GPU: the page is the real one, what the server tells it is made up. */
describe("the dashboard page, told of", { timeout: 60_000 }, () => {
  const project = new Project();
  let browser: Browser;
  let dashboard: RunningDashboard;

  beforeAll(async () => {
    await project.init();
    [browser, dashboard] = await Promise.all([startBrowser(), startDashboard(project)]);
  });
  afterAll(async () => {
    await browser?.close();
    await project.dispose();
  });

  const startedAt = "2026-01-01T00:00:00.000Z";
  const report = {
    stack: "test",
    experiment: "ink-v1",
    instance: { id: "i", type: "gpu_8x_h100", region: "us-east-1", ip: "203.0.113.7", status: "active" },
    cost: { dollars: 2.5, dollarsPerHour: 23.92, budgetDollars: 3, dollarsLeft: 0.5, hoursLeft: 0.02 },
    run: { state: "running", attempt: 1, startedAt },
    results: null,
  };
  const step = (name: string, state: string, detail?: string): object => ({ name, state, detail });

  /** Opens the page with these topics told, and gives its text. */
  const told = async (
    topics: Readonly<Record<string, unknown>>,
    look: (page: Page) => Promise<void>,
  ): Promise<void> => {
    const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    const all = { stack: { name: "test" }, link: { state: "connected" }, ...topics };
    const body = Object.entries(all).map(([topic, state]) => `event: ${topic}\ndata: ${JSON.stringify(state)}\n\n`);
    await page.route("**/events", (route) =>
      route.fulfill({ contentType: "text/event-stream", body: `retry: 60000\n\n${body.join("")}` }),
    );
    await page.goto(dashboard.url);
    await look(page);
    expect(complaints).toEqual([]);
    const wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth");
    expect(wide, "wider than a phone").toBe(false);
    expect(await page.locator("body").innerText()).not.toMatch(/undefined|NaN|\[object/);
    await page.close();
  };
  const shown = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();

  it("maintenance: when it begins, and what saves the results", async () => {
    const text = "maintenance begins at 2026-11-29T13:00Z (in 3 h) (GPU swap)";
    await told({ report: { ...report, maintenance: [{ status: "scheduled", text }] } }, async (page) => {
      await shown(page, "Lambda's maintenance begins at 2026-11-29T13:00Z (in 3 h) (GPU swap).");
      await shown(page, "npm run results -- --stack test");
    });
  });

  it("a sweep: a table that sorts, values against each other, and how much each matters", async () => {
    const trial = (number: number, lr: number, value: number | null, more: object = {}): object => ({
      ...{ number, params: { lr, optimizer: number % 2 === 0 ? "adam" : "sgd" }, value, values: [], attempt: 1 },
      ...{
        state: value === null ? "running" : "complete",
        machine: `machine-${number}`,
        startedAt: 1e9,
        endedAt: 1e9 + 60,
      },
      ...more,
    });
    const trials = [
      trial(0, 0.1, 0.5),
      trial(1, 0.001, 0.2),
      trial(2, 0.01, 0.3),
      trial(3, 1, null, { endedAt: undefined }),
      trial(4, 0.5, null, { state: "failed", reason: "training ended with status 3" }),
    ];
    const sweep = { experiment: "swept", metric: "valid_loss", direction: "minimize", params: ["lr", "optimizer"] };
    const importance = { lr: 0.75, optimizer: 0.25 };
    await told({ report, sweep: { ...sweep, wanted: 5, trials, best: 1, importance } }, async (page) => {
      await shown(page, "5 trials: 3 complete, 1 running, 1 failed. valid loss: minimize.");
      const order = (): Promise<(string | null)[]> =>
        page.locator("#sweep tbody tr").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-trial")));
      expect(await order()).toEqual(["0", "1", "2", "3", "4"]);
      await page.getByRole("button", { name: "valid loss" }).click();
      expect((await order()).slice(0, 3)).toEqual(["1", "2", "0"]);
      await page.getByRole("button", { name: "valid loss" }).click();
      expect((await order()).slice(0, 3)).toEqual(["0", "2", "1"]);
      expect(await page.locator("#sweep td.best").textContent()).toBe("0.2");
      expect(await page.locator("[data-line]").count()).toBe(3);
      expect(await page.locator("[data-axis]").count()).toBe(3);
      expect(await page.locator("[data-importance=lr]").innerText()).toContain("75 %");
      await page.locator("#sweep tr[data-trial='2']").hover();
      expect(await page.locator("[data-line='2']").getAttribute("class")).toBe("marked");
    });
  });

  it("an evaluation: its numbers, unless another one is due, and curves whose last label is whole", async () => {
    const xs = Array.from({ length: 41 }, (_, at) => at * 5_000);
    const series = [{ name: "loss", axis: "step", source: "file", xs, ys: xs.map((x) => 1 + 1 / (1 + x)) }];
    const metrics = { series, scores: [{ name: "test.error_rate", value: 0.12345 }] };
    const ended = { ...report.run, endedAt: "2026-01-01T00:01:00.000Z", exitCode: 0 };
    const evaluated = { ...ended, state: "finished", evaluation: { state: "done" } };
    await told({ report: { ...report, run: evaluated }, metrics }, async (page) => {
      expect(await page.locator("#evaluation dt").textContent()).toBe("test.error rate");
      expect(await page.locator("[data-score='test.error_rate']").textContent()).toBe("0.1235");
      await page.locator(".plot canvas").waitFor();
      // The labels of the axis are drawn: one that is cut reaches the last column.
      const drawn = `(() => {
        const canvas = document.querySelector(".plot canvas");
        const { width, height } = canvas;
        const alpha = (x) => canvas.getContext("2d").getImageData(x, height - 20, 1, 20).data.filter((_, at) => at % 4 === 3);
        return [...Array(width).keys()].filter((x) => alpha(x).some((value) => value > 0)).map((x) => width - x);
      })()`;
      const columns = (await page.evaluate(drawn)) as number[];
      expect(columns.length).toBeGreaterThan(20);
      expect(Math.min(...columns)).toBeGreaterThan(1);
    });
    const evaluating = { ...ended, state: "evaluating", evaluation: { state: "running" } };
    await told({ report: { ...report, run: evaluating }, metrics }, async (page) => {
      await page.locator(".plot canvas").waitFor();
      expect(await page.locator("#evaluation").count()).toBe(0);
    });
  });

  it("training that failed: its evidence and what to do", async () => {
    const run = { state: "failed", attempt: 2, startedAt, endedAt: "2026-01-01T00:01:00.000Z", exitCode: 137 };
    const lines = [{ number: 1, text: "CUDA out of memory" }];
    await told({ report: { ...report, run }, log: { reset: true, lines } }, async (page) => {
      await shown(page, "Training failed with status 137");
      expect(await page.locator("#failed .evidence").textContent()).toContain("CUDA out of memory");
      expect(await page.locator("#failed").textContent()).toContain("npm run up -- --stack test --refresh");
      expect(await page.locator("#state").getAttribute("class")).toContain("bad");
    });
  });

  it("training that ended without a status, as when the instance restarts", async () => {
    await told({ report: { ...report, run: { state: "failed", attempt: 1, startedAt } } }, async (page) => {
      await shown(page, "ended without a status");
    });
  });

  it("setup that failed", async () => {
    const lifecycle = [step("launch", "done"), step("setup", "failed", "pip: no matching distribution")];
    await told({ report: { ...report, run: { state: "none" } }, lifecycle }, async (page) => {
      await shown(page, "The setup failed");
      expect(await page.locator("#failed .evidence").textContent()).toBe("pip: no matching distribution");
    });
  });

  it("an instance that boots", async () => {
    const instance = { ...report.instance, ip: null, status: "booting" };
    const lifecycle = [step("launch", "done"), step("boot", "active", "booting: instance i")];
    await told({ report: { ...report, instance, run: { state: "none" } }, lifecycle }, async (page) => {
      await shown(page, "No run yet");
      expect(await page.locator("#instance-status").textContent()).toBe("booting");
      expect(await page.locator(".now").textContent()).toContain("booting: instance i");
    });
  });

  it("an instance that is gone", async () => {
    const instance = { ...report.instance, status: "gone" };
    await told({ report: { ...report, instance, cost: null, run: { state: "unreachable" } } }, async (page) => {
      await shown(page, "The instance is gone");
      await shown(page, "npm run down -- --stack test");
      expect(await page.locator("body").textContent()).not.toContain("not launched yet");
    });
  });

  it("a run that was stopped at its budget", async () => {
    const run = { state: "stopped", stopReason: "budget", attempt: 1, startedAt, endedAt: startedAt, exitCode: 143 };
    await told({ report: { ...report, run } }, (page) => shown(page, "The run was stopped (budget)"));
  });

  it("jobs beside the run: how each is or ended, why, and since when by the instance's clock", async () => {
    const jobs = [
      { experiment: "ablation", state: "running", startedAt: "2026-01-01T00:00:00Z" },
      {
        ...{ experiment: "x".repeat(63), state: "stopped", exitCode: 143, stopReason: "<b>budget</b>" },
        ...{ startedAt: "2026-01-01T00:00:00Z", endedAt: "2026-01-01T00:03:00Z" },
      },
    ];
    const run = { ...report.run, jobs, now: Date.parse("2026-01-01T00:05:00Z") / 1000 };
    await told({ report: { ...report, run } }, async (page) => {
      await shown(page, "npm run logs -- --stack test --run ablation");
      const cells = (name: string): Promise<string[]> => page.locator(`[data-job="${name}"] td`).allTextContents();
      expect(await cells("ablation")).toEqual(["running", "", "5 min ago"]);
      expect(await cells("x".repeat(63))).toEqual(["stopped", "143 (<b>budget</b>)", "2 min ago"]);
      expect(await page.locator("[data-job=ablation] .pill").getAttribute("class")).toContain("good");
    });
    await told({ report }, async (page) => {
      await shown(page, "ink-v1");
      expect(await page.locator("#jobs").count()).toBe(0);
    });
  });

  it("several runs: a page for each, and which one this is", async () => {
    const runs = ["lr-1", "lr-2"].map((name) => ({
      name,
      machine: "gpu",
      experiment: `ink-${name}`,
      shown: name === "lr-2",
    }));
    await told({ report, runs }, async (page) => {
      await shown(page, "ink-lr-1");
      const links = page.locator("#runs a");
      expect(await links.allTextContents()).toEqual(["ink-lr-1", "ink-lr-2"]);
      expect(await links.first().getAttribute("href")).toBe("/?run=lr-1");
      expect(await page.locator("#runs [aria-current=page]").textContent()).toBe("ink-lr-2");
    });
    await told({ report }, async (page) => {
      await shown(page, "ink-v1");
      expect(await page.locator("#runs").count()).toBe(0);
    });
  });

  it("a hundred runs of one experiment: a line that opens, and finds one", async () => {
    const runs = Array.from({ length: 100 }, (_, at) => {
      const suffix = at === 0 ? "" : `-${at + 1}`;
      return { name: `run${suffix}`, machine: `machine${suffix}`, experiment: "ink-sweep", shown: at === 36 };
    });
    await told({ report, runs }, async (page) => {
      await shown(page, "(37 of 100)");
      const links = page.locator("#runs > span a");
      expect(await links.allTextContents()).toEqual(["machine-36", "machine-38"]);
      const all = page.locator("#runs li a");
      expect(await all.first().isVisible()).toBe(false);
      const closed = await page.locator("#runs").boundingBox();
      expect(closed?.height).toBeLessThan(60);
      await page.locator("#runs summary").click();
      expect(await all.count()).toBe(100);
      await page.locator("#runs input").fill("-99");
      expect(await all.allTextContents()).toEqual(["machine-99"]);
      expect(await all.first().getAttribute("href")).toBe("/?run=run-99");
      await page.locator("#runs input").fill("nothing");
      await shown(page, "No run has that name.");
    });
  });

  it("eight GPUs at work, and a budget that is nearly spent", async () => {
    const gpus = Array.from({ length: 8 }, (_, at) => {
      const gpu = { name: `NVIDIA H100 ${at}`, percent: 90, usedBytes: 60e9, totalBytes: 80e9, celsius: 60 + at };
      return { ...gpu, watts: 500 };
    });
    const sample = { at: 0, gpu: 90, cpu: 12, memory: 20 };
    const size = { totalBytes: 2e12, freeBytes: 1e12 };
    const machine = { samples: [sample, sample], gpus, processors: 208, memory: size, disk: size };
    await told({ report, machine }, async (page) => {
      await shown(page, "8 GPUs");
      await shown(page, /447 GiB of 596 GiB, 67 °C, 4000 W/);
      expect(await page.locator("#gpu").getAttribute("value")).toBe("90");
      expect(await page.getByRole("meter", { name: "budget used" }).getAttribute("aria-valuenow")).toBe("83");
      expect(await page.getByRole("meter", { name: "budget used" }).getAttribute("class")).toContain("warn");
    });
  });
});
