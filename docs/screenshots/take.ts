import { mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { stringify } from "yaml";
import { startBrowser, startDashboard } from "../../test/support/browser";
import { TestCloud } from "../../test/support/cloud";
import { Project } from "../../test/support/project";

/**
 * Takes the pictures of the dashboard page in docs/images: the reference workload trains three experiments on an emulated
 * cloud of its own; the pictures show the third while it goes on, beside the two before.
 */
const folder = resolve(__dirname, "../images");
/** A page with heavier pictures is slow to open. */
const mostBytes = 250_000;

/** The experiments, the one that is shown live last. */
const experiments = [
  { experiment: "baseline", overrides: { training: { epochs: 10 } } },
  { experiment: "slow-learner", overrides: { training: { epochs: 10, learning_rate: 0.0015 } } },
  { experiment: "no-dropout", overrides: { model: { dropout: 0 }, training: { epochs: 16 } } },
];

const project = new Project("demo");
let browser: Browser | undefined;

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  try {
    await train();
    browser = await startBrowser();
    await take(browser);
  } finally {
    await stop();
  }
}

async function stop(): Promise<void> {
  await browser?.close();
  await project.dispose();
}

async function train(): Promise<void> {
  project.configure({ experiment: "configs/demo.yaml", budgetDollars: 2 });
  await project.init();
  await TestCloud.start(project);
  for (const [at, { experiment, overrides }] of experiments.entries()) {
    console.log(`${experiment}: training`);
    project.write(
      "configs/demo.yaml",
      stringify({
        experiment,
        workload: { source: "examples/hmer-ink" },
        dataset: { source: "examples/hmer-ink/data", prepare: "python3 scripts/make_data.py --out data" },
        gate: { gpu: "optional", minDiskGiB: 1, modules: ["torch", "numpy", "yaml"] },
        train: { config: "configs/default.yaml", overrides },
      }),
    );
    await must("up");
    if (at === experiments.length - 1) return;
    await must("wait");
    await must("results");
  }
}

async function must(name: string): Promise<void> {
  const { code, output } = await project.run(name);
  if (code !== 0) throw new Error(`npm run ${name} ended with ${code}:\n${output}`);
}

async function take(browser: Browser): Promise<void> {
  const dashboard = await startDashboard(project);
  const open = async (options: BrowserContextOptions): Promise<Page> => {
    const page = await browser.newPage(options);
    await page.goto(dashboard.url);
    await page.locator("[data-metric=loss]").waitFor();
    await page
      .locator("#experiments tbody tr")
      .nth(experiments.length - 1)
      .waitFor();
    const boxes = page.locator("#experiments tbody input:enabled");
    for (let at = 0; at < (await boxes.count()); at++) await boxes.nth(at).check();
    await page.evaluate("scrollTo(0, 0)");
    return page;
  };
  const light = await open({ viewport: { width: 1280, height: 1200 }, colorScheme: "light" });
  // Half the curve says more than its first points.
  const curve = light.locator("[data-metric=loss] [data-experiment=no-dropout][data-series=valid_loss]").first();
  const deadline = Date.now() + 600_000;
  // The page's own policy forbids what waitForFunction would evaluate in it.
  while ((await curve.count()) === 0 || Number(await curve.getAttribute("data-points")) < 8) {
    if (Date.now() > deadline) throw new Error("The curve of no-dropout has not come to eight points in ten minutes.");
    await light.waitForTimeout(1000);
  }
  await light.locator("#live.good").waitFor();
  await save(light, "dashboard-light");
  const dark = await open({ viewport: { width: 1280, height: 1000 }, colorScheme: "dark" });
  await dark.getByLabel("Search the log").fill("best");
  await dark.locator("#charts").evaluate("element => element.scrollIntoView()");
  await settle(dark);
  await save(dark, "dashboard-dark");
  const phone = await open({ viewport: { width: 390, height: 1000 }, deviceScaleFactor: 1.5, colorScheme: "light" });
  await phone.locator("#charts").evaluate("element => element.scrollIntoView()");
  await settle(phone);
  await save(phone, "dashboard-phone");
  await dashboard.stop();
}

/** Waits until what was asked for is drawn. */
function settle(page: Page): Promise<void> {
  return page.waitForTimeout(4500);
}

async function save(page: Page, name: string): Promise<void> {
  const path = join(folder, `${name}.png`);
  await page.evaluate("document.fonts.ready");
  await page.screenshot({ path, animations: "disabled" });
  const { size } = statSync(path);
  console.log(`${path}: ${Math.round(size / 1000)} kB`);
  if (size > mostBytes) throw new Error(`${path} has ${size} bytes, more than ${mostBytes}.`);
}

// Ctrl-C too ends what was started.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(130)));
}
main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
