import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NotingProject } from "./bootstrap";
import { evaluate, loadWorkflow } from "./workflow";

const account = { LAMBDA_API_KEY: "secret_x", PULUMI_ACCESS_TOKEN: "pul-x" };

describe("the scripts of the workflows", () => {
  let project: NotingProject;
  const script = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { status, stdout, stderr } = spawnSync(join(project.folder, "scripts/ci", `${name}.sh`), args, {
      encoding: "utf8",
      env: { PATH: process.env.PATH, RUNNER_ENVIRONMENT: "github-hosted", DOWN_PAUSE_SECONDS: "0", ...env },
    });
    return { status, output: stdout + stderr };
  };

  beforeEach(() => {
    project = new NotingProject();
  });
  afterEach(() => project.dispose());

  it.each([
    ["Pulumi Cloud", account],
    [
      "a bucket with a passphrase",
      { LAMBDA_API_KEY: "k", PULUMI_BACKEND_URL: "s3://b", PULUMI_CONFIG_PASSPHRASE: "p" },
    ],
    [
      "a folder on a runner of one's own",
      {
        LAMBDA_API_KEY: "k",
        PULUMI_BACKEND_URL: "file:///x",
        PULUMI_CONFIG_PASSPHRASE: "p",
        RUNNER_ENVIRONMENT: "self-hosted",
      },
    ],
  ])("check lets a stack pass whose state outlives the job: %s", (_, env) => {
    expect(script("check", ["gpu", "180"], env)).toEqual({ status: 0, output: "" });
  });

  it.each([
    ["No Lambda API key", {}],
    ["No backend for the state", { LAMBDA_API_KEY: "k" }],
    [
      "The backend is a folder",
      { LAMBDA_API_KEY: "k", PULUMI_BACKEND_URL: "file:///x", PULUMI_CONFIG_PASSPHRASE: "p" },
    ],
    ["No passphrase", { LAMBDA_API_KEY: "k", PULUMI_BACKEND_URL: "s3://b" }],
  ])("check and reap refuse before anything is done: %s", (title, env) => {
    for (const [name, args] of [
      ["check", ["gpu", "60"]],
      ["reap", ["no"]],
    ] as const) {
      const { status, output } = script(name, args, env);
      expect(status).toBe(2);
      expect(output).toContain(`::error title=${title}::`);
      expect(project.calls()).toEqual([]);
    }
  });

  it.each([
    ["Wrong stack name", "../x", "60"],
    ["No stack nowhere", "nowhere", "60"],
    ["Wrong timeout", "gpu", "0"],
    ["Wrong timeout", "gpu", "1; id"],
    ["Timeout too long", "gpu", "181"],
  ])("check refuses wrong inputs: %s (%s, %s)", (title, stack, minutes) => {
    const { status, output } = script("check", [stack, minutes], account);
    expect(status).toBe(2);
    expect(output).toContain(`::error title=${title}::`);
  });

  it("check asks for no secret for the emulated cloud, and for no limit on a runner of one's own", () => {
    expect(script("check", ["dev", "60"]).status).toBe(0);
    expect(script("check", ["gpu", "2000"], { ...account, RUNNER_ENVIRONMENT: "self-hosted" }).status).toBe(0);
  });

  it("preview refuses a file with encrypted values, and says where the key belongs", () => {
    project.stack("gpu", "  lambda-train:apiKey:\n    secure: v1:abc\n");
    const { status, output } = script("preview", ["gpu"]);
    expect(status).toBe(2);
    expect(output).toContain("secret LAMBDA_API_KEY");
  });

  it("up names the experiment where there is one, and passes the exit code on", () => {
    expect(script("up", ["gpu", "", "5"]).status).toBe(0);
    expect(script("up", ["gpu", "my-run", "5"], { FAILING: "#2" }).status).toBe(1);
    const [plain = [], named = []] = project.calls();
    expect(plain).toEqual(["up", "--stack", "gpu", ...plain.slice(3)]);
    expect(plain).toContain("--yes");
    expect(named).toEqual([...plain, "--config", "lambda-train:experimentName=my-run"]);
  });

  it("up is ended by the signal that ends the engine cleanly when its time is over", () => {
    project.bootstrap(
      `process.on("SIGTERM", () => { console.log("state saved"); process.exit(1); }); setTimeout(() => {}, 20000);`,
    );
    const { status, output } = script("up", ["gpu", "", "0.05"]);
    expect(output).toBe("state saved\n");
    expect(status).toBe(124);
  });

  it("down is tried again, and says what lives on where it never works", () => {
    expect(script("down", ["gpu"], { FAILING: "#1" }).status).toBe(0);
    expect(project.calls()).toHaveLength(2);
    const summary = join(project.folder, "summary");
    const { status, output } = script("down", ["gpu"], { FAILING: "down", GITHUB_STEP_SUMMARY: summary });
    expect(status).toBe(1);
    const calls = project.calls();
    expect(calls).toHaveLength(3);
    expect(calls.flat()).not.toContain("--lose-results");
    expect(output).toContain("::error title=Stack gpu is not down::Its instance may live and bill");
    expect(readFileSync(summary, "utf8")).toContain("npm run down -- --stack gpu");
  });

  it("reap looks, removes with yes alone, fails where something is there, and is quiet where nobody set it up", () => {
    expect(script("reap", ["no"], { GITHUB_EVENT_NAME: "schedule" })).toMatchObject({ status: 0 });
    expect(project.calls()).toEqual([]);
    const { status, output } = script("reap", ["no"], { ...account, FAILING: "reap" });
    expect(status).toBe(1);
    expect(output).toMatch(/call 1\n::error title=Something is left over::/);
    expect(script("reap", ["yes"], account).status).toBe(0);
    expect(project.calls()).toEqual([["reap"], ["reap", "--yes"]]);
  });

  it.each([
    ["schedule", undefined, undefined, "no"],
    ["schedule", "yes", undefined, "yes"],
    ["workflow_dispatch", "yes", false, "no"],
    ["workflow_dispatch", undefined, true, "yes"],
  ])("reap on %s with the variable %s and the input %s: %s", (event_name, variable, yes, expected) => {
    const expression = loadWorkflow("reap").jobs.reap?.env?.REMOVE?.replace(/^\$\{\{|\}\}$/g, "") ?? "";
    const vars = variable === undefined ? {} : { LAMBDA_TRAIN_REAP: variable };
    expect(evaluate(expression, { github: { event_name }, vars, inputs: { yes } })).toBe(expected);
  });
});
