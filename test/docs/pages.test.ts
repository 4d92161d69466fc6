import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { readRunFile } from "../../emulator/run-file";
import { projectFolder } from "../../local/paths";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";
import { type Block, blocksOf, commandsOf, pages, promptsOf } from "./blocks";
import { runBlock } from "./shell";

/** Runs each shell block of a page; `after` is what a reader does between the blocks, in an editor for instance. */
function executes(
  page: string,
  project: Project,
  env: () => NodeJS.ProcessEnv,
  change: { readonly block?: (block: Block) => Block; readonly after?: (block: Block) => void } = {},
): void {
  for (const block of blocksOf(page)) {
    it(`${page}:${block.line}: ${block.text}`, { timeout: 480_000 }, async () => {
      await runBlock(project, change.block?.(block) ?? block, env());
      change.after?.(block);
    });
  }
}

describe("recipes, with a workload that trains in seconds", () => {
  const project = new Project("dev");
  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 60 } });
    project.write("configs/hmer-ink.yaml", project.read("configs/tiny.yaml"));
    project.configure();
    await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  executes("docs/recipes.md", project, () => ({ HOME: join(project.folder, ".local") }));

  it("leave nothing rented", async () => {
    // The last `down` has stopped the cloud.
    const cloud = await TestCloud.start(project);
    expect(await cloud.inventory()).toMatchObject({ ...nothing, fileSystems: ["datasets"] });
  });

  it("docs/workload.md: the least that works does", { timeout: 120_000 }, async () => {
    const shown = blocksOf("docs/workload.md", "yaml").find(({ text }) => text.startsWith("# configs/least.yaml"));
    project.write("configs/least.yaml", shown?.text ?? "");
    const training =
      'import time\nprint("step 1 loss 0.5", flush=True)\ntime.sleep(1)\nopen("model.pt", "w").write("1")\n';
    project.write("least/train.py", training);
    project.configure({ experiment: "configs/least.yaml" });
    const output = await project.succeeds("up");
    expect(output).toContain("first step: step 1 loss 0.5");
    expect(await project.run("wait")).toMatchObject({ code: 0, output: expect.stringContaining("least-v1: finished") });
    await project.succeeds("down");
    expect(project.read("results/dev/least-v1/run/train.log")).toContain("step 1 loss 0.5");
    expect(project.read("results/dev/least-v1/beside/model.pt")).toBe("1");
  });
});

describe("changed code, beside a run that goes on", () => {
  const project = new Project("dev");
  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 100_000 } });
    await TestCloud.start(project);
    await run("npm run up");
  });
  afterAll(() => project.dispose());

  const run = (text: string): Promise<string> => runBlock(project, { line: 0, interactive: false, text });
  executes("docs/iterate.md", project, () => ({}));

  it("goes with the run at down", { timeout: 120_000 }, async () => {
    expect(await run("npm run down")).toContain("is terminated");
  });
});

describe("a real account, played by the emulated cloud", () => {
  const project = new Project("gpu");
  const home = join(project.folder, ".local");
  let url: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    useTinyWorkload(project);
    mkdirSync(home, { recursive: true });
    renameSync(join(project.folder, "tiny"), join(home, "my-repository"));
    renameSync(join(project.folder, "tiny-data"), join(home, "my-data"));
    const cloud = await TestCloud.start(project);
    url = readRunFile(home)?.url ?? "";
    env = { HOME: home, LAMBDA_API_KEY: cloud.apiKey };
  });
  afterAll(() => project.dispose());

  /** What the reader writes into both files: what the workload needs, and here, who plays Lambda. */
  const edit = (): void => {
    const stack = parse(project.read("Pulumi.gpu.yaml")) as { config: Record<string, unknown> };
    Object.assign(stack.config, { "lambda-train:endpoint": url, "lambda-train:sshSources": ["127.0.0.0/8"] });
    project.write("Pulumi.gpu.yaml", stringify(stack));
    const experiment = parse(project.read("configs/my-experiment.yaml")) as Record<string, Record<string, unknown>>;
    Object.assign(experiment, {
      gate: { gpu: "optional", minDiskGiB: 0, modules: ["yaml"] },
      train: { overrides: { steps: 100_000 }, graceSeconds: 10 },
    });
    project.write("configs/my-experiment.yaml", stringify(experiment));
  };

  executes("docs/real-account.md", project, () => env, {
    // The one command that knows no stack.
    block: (block) => ({ ...block, text: block.text.replace("npm run reap", `npm run reap -- --endpoint ${url}`) }),
    after: (block) => block.text.includes("new-experiment") && edit(),
  });
});

const executedPages = ["docs/tutorial.md", "docs/real-account.md", "docs/recipes.md", "docs/iterate.md"];

it("every command that the pages show is executed", () => {
  const executed = new Set(executedPages.flatMap((page) => blocksOf(page)).flatMap(commandsOf));
  const shown = pages().flatMap((page) => [...blocksOf(page).flatMap(commandsOf), ...promptsOf(page)]);
  // `npm test` is what runs this; a crontab line is none for a shell, and its command is the one before it.
  const missed = shown.filter((command) => !executed.has(command) && command !== "npm test" && !/^\*\//.test(command));
  expect(missed).toEqual([]);
});

it("README is 150 lines at most", () => {
  expect(readFileSync(join(projectFolder(), "README.md"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(
    150,
  );
});

/** Links of a page to files of the project: from, to, and the heading there. */
const links = pages().flatMap((page) => {
  const text = readFileSync(join(projectFolder(), page), "utf8");
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)/g)].map(([, to = "", heading = ""]) => {
    return { page, to: to === "" ? page : join(dirname(page), to), heading };
  });
});

it.each(links)("$page links to $to#$heading, which exists", ({ to, heading }) => {
  const path = join(projectFolder(), to);
  expect(existsSync(path)).toBe(true);
  if (heading === "") return;
  const headings = [...readFileSync(path, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => anchorOf(title));
  expect(headings).toContain(heading);
});

/** The anchor that GitHub gives a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
