import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { actionlint, findProgram, ruff } from "./tools";
import { loadWorkflow } from "./workflow";

const root = resolve(__dirname, "../..");
const names = readdirSync(join(root, ".github/workflows")).map((name) => name.replace(/\.yml$/, ""));
const shellcheck = (): string => findProgram("shellcheck", "apt-get install shellcheck");

describe("the workflows", () => {
  it("satisfy actionlint, with shellcheck for what they run", { timeout: 240_000 }, () => {
    const { status, stdout, stderr } = spawnSync(actionlint(), ["-no-color", "-shellcheck", shellcheck()], {
      cwd: root,
      encoding: "utf8",
    });
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
  });

  it("so does the one that init writes", { timeout: 60_000 }, () => {
    const file = join(root, "templates/init/workflow.yml");
    const { stdout } = spawnSync(actionlint(), ["-no-color", "-shellcheck", shellcheck(), file], { encoding: "utf8" });
    expect(stdout).toBe("");
  });

  it("run scripts that satisfy shellcheck", () => {
    const scripts = readdirSync(join(root, "scripts/ci")).map((name) => join("scripts/ci", name));
    const { status, stdout } = spawnSync(shellcheck(), ["-x", "-P", "SCRIPTDIR", ...scripts], {
      cwd: root,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("may read the repository and no more, but for the job that comments and runs no code of the repository", () => {
    for (const name of names) {
      const { permissions, jobs } = loadWorkflow(name);
      expect(permissions, name).toEqual({ contents: "read" });
      for (const [id, job] of Object.entries(jobs)) {
        if (job.permissions === undefined) continue;
        expect([name, id, job.permissions]).toEqual(["preview", "comment", { "pull-requests": "write" }]);
        expect(job.steps.map(({ uses }) => uses)).toEqual(["actions/github-script@v8"]);
      }
    }
  });

  it("leave no token in the checkout, and use actions of GitHub's own alone", () => {
    for (const step of names.flatMap((name) => Object.values(loadWorkflow(name).jobs).flatMap(({ steps }) => steps))) {
      if (step.uses !== undefined) expect(step.uses).toMatch(/^actions\/[\w-]+@v\d+$/);
      if (step.uses?.startsWith("actions/checkout")) expect(step.with?.["persist-credentials"]).toBe(false);
    }
  });

  it("give previews of pull requests no secret", () => {
    expect(readFileSync(join(root, ".github/workflows/preview.yml"), "utf8")).not.toMatch(/secrets\./);
  });

  it("use a Node.js that the project runs on", () => {
    const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
    expect(engines.node).toMatch(new RegExp(`^>=${readFileSync(join(root, ".nvmrc"), "utf8").trim()}\\.`));
  });
});

describe("the agent", () => {
  const agent = join(root, "scripts/agent");

  it.each([
    ["is formatted", ["format", "--check", "--diff"]],
    ["satisfies the linter", ["check", "--output-format", "concise", "--no-cache"]],
  ])("%s", { timeout: 120_000 }, (_, words) => {
    const { status, stdout, stderr } = spawnSync(ruff(), [...words, "--quiet", agent], { encoding: "utf8" });
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
  });
});
