import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listeningAddresses } from "../../security/processes";
import { type RunningDashboard, startBrowser, startDashboard } from "../../support/browser";
import { TestCloud } from "../../support/cloud";
import { Project } from "../../support/project";
import { useTinyWorkload } from "../../support/tiny";
import { EventReader } from "./event-reader";

/** What a hostile workload may print. */
const hostile = [
  "<img src=x onerror='window.owned=1'><script>window.owned=1</script> hostile",
  "\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m \\x00\\x08 hostile",
  "\\u202ereversed hostile",
];

/** Makes the workload print that, and keep a history as many do. */
const unruly = `
    if state["step"] % 5 == 0:
        for text in ${JSON.stringify(hostile).replaceAll("\\\\", "\\")}:
            print(text, flush=True)
        state.setdefault("history", []).append({"step": state["step"], "valid_accuracy": 1 - 1 / state["step"]})
        (out / "metrics" / "history.json").write_text(json.dumps(state["history"]))
`;

const poll = { timeout: 30_000, interval: 250 };

/** One page over the whole life of a run. */
describe("the dashboard page", { timeout: 90_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let browser: Browser;
  let dashboard: RunningDashboard;
  let page: Page;
  let events: EventReader;
  const complaints: string[] = [];
  const requested = new Set<string>();

  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 100_000 }, stack: { budgetDollars: 3 } });
    const loss = "print(f\"step {state['step']} loss {loss:.4f}\", flush=True)\n";
    const training = project.read("tiny/train.py");
    expect(training).toContain(loss);
    project.write("tiny/train.py", training.replace(loss, `${loss}${unruly}`));
    await project.init();
    cloud = await TestCloud.start(project);
    [browser, dashboard] = await Promise.all([startBrowser(), startDashboard(project)]);
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requested.add(new URL(request.url()).origin));
    await page.goto(dashboard.url);
  });
  afterAll(async () => {
    events?.disconnect();
    await browser?.close();
    await project.dispose();
  });

  const status = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await project.run("status", ["--json"])).output);
  const text = (id: string): Promise<string | null> => page.locator(`#${id}`).textContent();
  const figure = async (id: string): Promise<number> => Number(await page.locator(`#${id}`).getAttribute("value"));
  const points = async (series: string): Promise<number> =>
    Number(await page.locator(`[data-series="${series}"]`).first().getAttribute("data-points"));

  it("says that nothing is rented, and shows the run by itself once an up has started it", async () => {
    expect(page.url()).toBe(`${dashboard.origin}/`);
    expect(await text("empty")).toContain("npm run up");
    await project.succeeds("up");
    await expect.poll(() => text("state"), poll).toBe("running");
    expect(await page.locator("#empty").count()).toBe(0);
    const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    events = new EventReader(`${dashboard.origin}/events`, cookie);
    await events.connect();
  });

  it("shows what status --json says", async () => {
    await expect
      .poll(async () => {
        const { instance, cost, experiment, run } = (await status()) as never as Record<string, Record<string, never>>;
        const shown = {
          experiment: await page.locator("h1").textContent(),
          state: await text("state"),
          type: await text("instance-type"),
          region: await text("region"),
          ip: await text("ip"),
          status: await text("instance-status"),
          dollars: await figure("cost"),
          dollarsPerHour: await figure("price"),
          dollarsLeft: await figure("dollars-left"),
          startedAt: await page.locator("#elapsed").getAttribute("datetime"),
        };
        const { type, region, ip, status: instanceStatus } = instance ?? {};
        const { dollars, dollarsPerHour, dollarsLeft } = cost ?? {};
        const { state, startedAt } = run ?? {};
        const said = { experiment, state, type, region, ip, status: instanceStatus };
        expect(shown).toEqual({ ...said, dollars, dollarsPerHour, dollarsLeft, startedAt });
        return true;
      }, poll)
      .toBe(true);
  });

  it("shows the steps with their times, the machine's use and the checkpoints", async () => {
    const states = (): Promise<string[]> =>
      page.locator("[data-step]").evaluateAll((steps) => steps.map((step) => step.className));
    await expect.poll(states, poll).toEqual([...Array(6).fill("done"), "active", "waiting", "waiting"]);
    for (const name of ["launch", "boot", "code", "dataset", "setup", "gate", "training"]) {
      const time = (): Promise<string | null> => page.locator(`[data-step=${name}] .time`).textContent();
      await expect.poll(time, { ...poll, message: name }).toMatch(/^\d+(\.\d)? (s|min)/);
    }
    await expect.poll(() => figure("cpu"), poll).toBeGreaterThan(0);
    expect(await figure("memory")).toBeGreaterThan(1e8);
    expect(await figure("disk")).toBeGreaterThan(1e8);
    await expect.poll(() => text("checkpoints"), poll).toContain("checkpoints/best_model.pt");
    expect(await text("history")).toMatch(/first step.*started/s);
  });

  it("shows a job beside the run, and how it ended", async () => {
    expect(await page.locator("#jobs").count()).toBe(0);
    await project.succeeds("exec", ["--detach", "beside", "--", "sh", "-c", "exit 3"]);
    const cells = page.locator("[data-job=beside] td");
    await expect
      .poll(() => cells.allTextContents(), poll)
      .toEqual(["failed", "3", expect.stringMatching(/ago|just now/)]);
  });

  it("draws curves from the log and from metric files, and they grow", async () => {
    await page.locator('[data-series="valid_accuracy"]').waitFor();
    const before = { loss: await points("loss"), accuracy: await points("valid_accuracy") };
    expect(before.loss).toBeGreaterThan(0);
    await expect.poll(() => points("loss"), poll).toBeGreaterThan(before.loss);
    await expect.poll(() => points("valid_accuracy"), poll).toBeGreaterThan(before.accuracy);
    expect(await page.locator(".plot canvas").count()).toBeGreaterThanOrEqual(2);
  });

  it("shows hostile text of the log as text", async () => {
    const shown = page.locator(".lines .line", { hasText: "hostile" });
    await shown.first().waitFor();
    expect(await page.evaluate("window.owned")).toBeUndefined();
    expect(await page.locator(".lines img, .lines script").count()).toBe(0);
    const lines = new Set(await shown.allTextContents());
    expect([...lines].sort()).toEqual(
      [
        "<img src=x onerror='window.owned=1'><script>window.owned=1</script> hostile",
        "red  hostile",
        "reversed hostile",
      ].sort(),
    );
  });

  it("searches the log, and stops following where somebody scrolls back", async () => {
    await page.getByLabel("Search the log").fill("STEP 10 ");
    await expect.poll(() => page.locator(".lines .line").allTextContents(), poll).toHaveLength(1);
    expect(await page.locator(".lines mark").textContent()).toBe("step 10 ");
    expect(await text("matches")).toMatch(/^1 of \d+ lines$/);
    await page.getByLabel("Search the log").fill("");
    const ofLog = (expression: string): Promise<unknown> =>
      page.evaluate(`(box => ${expression})(document.querySelector(".lines"))`);
    await expect.poll(() => ofLog("box.scrollTop"), poll).toBeGreaterThan(100);
    // A line that comes in the same moment may pull the box to its end once more; a person goes on scrolling.
    const follows = async (): Promise<boolean> => {
      await ofLog("box.scrollTop = 0");
      return page.locator("#follow").isChecked();
    };
    await expect.poll(follows, poll).toBe(false);
    await page.locator("#follow").check();
    await expect.poll(() => ofLog("box.scrollHeight - box.scrollTop - box.clientHeight"), poll).toBeLessThan(25);
  });

  it("outlives a lost connection, here and to the browser; no line of the log is lost or repeated", async () => {
    const [id = ""] = (await cloud.inventory()).instances;
    await cloud.admin.addLinkFault({ match: { instanceId: id }, trouble: { kind: "refuse" } });
    await cloud.admin.dropConnections(id);
    await page.locator("#unreachable").waitFor();
    expect(await text("unreachable")).toContain("Unreachable since");
    expect(await text("state")).toBe("unreachable");
    expect((await status()).run).toMatchObject({ state: "unreachable" });
    events.disconnect();
    const known = events.lines.length;
    await cloud.admin.removeAllFaults();
    await page.locator("#unreachable").waitFor({ state: "detached" });
    await expect.poll(() => text("state"), poll).toBe("running");
    await events.connect();
    await expect.poll(() => events.lines.length, poll).toBeGreaterThan(known + 10);
    expect(events.resets).toBe(1);
    const steps = events.lines.flatMap((line) => /^step (\d+) loss/.exec(line)?.[1] ?? []).map(Number);
    expect(steps).toEqual(steps.map((_, at) => at + 1));
  });

  it("is readable on a phone and in the dark, without scrolling sideways", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const scheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.locator(`html[data-theme=${scheme}]`).waitFor();
      const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
      const brightness = Number(/\d+/.exec(String(background))?.[0]);
      expect(brightness < 128, String(background)).toBe(scheme === "dark");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    }
    await page.locator("#theme").click();
    await page.locator("html[data-theme=dark]").waitFor();
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it("opens the workload's own dashboard through its connection", async () => {
    const answer = await page.context().request.get(`${dashboard.origin}/workload`);
    expect(new URL(answer.url()).hostname).toBe("127.0.0.1");
    expect(await answer.text()).toContain("tiny-v1/");
    const addresses = listeningAddresses([dashboard.pid]);
    expect(addresses).toHaveLength(2);
    expect(addresses.filter((address) => !address.startsWith("127.0.0.1:"))).toEqual([]);
  });

  it("downloads the results while the run goes on, and shows the experiment among those at home", async () => {
    await page.locator("#download").click();
    await page.locator("#action[data-state=done]").waitFor();
    expect(await text("action")).toContain("verified");
    expect(existsSync(join(project.folder, "results/test/tiny-v1/manifest.json"))).toBe(true);
    expect(await text("state")).toBe("running");
    await expect.poll(() => page.locator("[data-step=results]").getAttribute("class"), poll).toBe("done");
  });

  it("stops the run cleanly once somebody has said yes, and terminates nothing", async () => {
    const { instances } = await cloud.inventory();
    await page.locator("#stop").click();
    await page.getByText("Keep it running").click();
    expect((await status()).run).toMatchObject({ state: "running" });
    await page.locator("#stop").click();
    await page.locator("#stop-yes").click();
    await page.locator("#action[data-state=done]", { hasText: "Clean stop" }).waitFor({ timeout: 60_000 });
    await expect.poll(() => text("state"), poll).toBe("stopped");
    expect(await text("ended")).toContain("Its results are downloaded");
    expect((await status()).run).toMatchObject({ state: "stopped", stopReason: "user", evaluation: { state: "done" } });
    expect((await cloud.inventory()).instances).toEqual(instances);
  });

  it("has the report of status --json", async () => {
    // What the terminal's screen adds is shown by other events of the page.
    const reported = async (): Promise<unknown> => {
      const { machine, progress, metrics, log, ...report } = await status();
      expect([machine, progress, metrics, log]).not.toContain(undefined);
      return report;
    };
    const still = (report: unknown): unknown =>
      JSON.parse(JSON.stringify(report), (key, value) => (key === "now" || key === "hoursLeft" ? undefined : value));
    await expect
      .poll(async () => {
        const answer = await page.context().request.get(`${dashboard.origin}/api/report`);
        expect(still(await answer.json())).toEqual(still(await reported()));
        return true;
      }, poll)
      .toBe(true);
  });

  it("has the whole log, line by line, as it lies on the instance", async () => {
    const { output } = await project.run("logs", ["--no-follow"]);
    const lines = output.split("\n").slice(0, -1);
    await expect.poll(() => events.lines.length, poll).toBe(lines.length);
    expect(events.lines.filter((line) => /^(step|stopped|===)/.test(line))).toEqual(
      lines.filter((line) => /^(step|stopped|===)/.test(line)),
    );
  });

  it("asks nobody but its own server, and complains of nothing", async () => {
    expect([...requested]).toEqual([dashboard.origin]);
    expect(complaints).toEqual([]);
    expect(await dashboard.stop()).toBe(0);
    await expect.poll(() => text("live"), poll).toBe("page not connected");
  });
});
