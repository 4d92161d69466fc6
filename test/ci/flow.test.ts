import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NotingProject } from "./bootstrap";
import { type JobResult, loadWorkflow, runJob } from "./workflow";

const secrets = { LAMBDA_API_KEY: "secret_x", PULUMI_ACCESS_TOKEN: "pul-x" };

/** In which order the train job does what, whatever fails. */
describe("the train job", () => {
  let project: NotingProject;
  const { train } = loadWorkflow("train").jobs;

  const run = async (failing: string, given = secrets): Promise<JobResult & { commands: string }> => {
    if (train === undefined) throw new Error("train.yml has no job train.");
    const contexts = { inputs: { stack: "gpu", timeout: 60 }, secrets: given, github: { run_attempt: 1 } };
    const result = await runJob(train, contexts, join(project.folder, "runner"), async (args, env) => {
      const { status, stdout, stderr } = spawnSync("bash", args, {
        cwd: project.folder,
        encoding: "utf8",
        env: { PATH: process.env.PATH, FAILING: failing, DOWN_PAUSE_SECONDS: "0", ...env },
      });
      return { code: status ?? 1, output: stdout + stderr };
    });
    return {
      ...result,
      commands: project
        .calls()
        .map(([command]) => command)
        .join(" "),
    };
  };

  beforeEach(() => {
    project = new NotingProject();
  });
  afterEach(() => project.dispose());

  it.each([
    ["nothing fails", "^$", "success", "pulumi up wait down", "success"],
    ["the wait fails", "^wait", "failure", "pulumi up wait down", "success"],
    ["the up fails", "^up", "failure", "pulumi up down", "success"],
    ["the down fails once", "^down .*#4", "success", "pulumi up wait down down", "success"],
    ["the down fails", "^down", "failure", "pulumi up wait down down down", "failure"],
    ["the engine cannot be brought", "^pulumi", "failure", "pulumi", "skipped"],
  ])("%s", async (_, failing, result, commands, down) => {
    const found = await run(failing);
    expect(found.log).not.toMatch(/secret_x|pul-x/);
    expect(found).toMatchObject({ result, commands, outcomes: { Down: down } });
    // What came home is kept whenever something may have been rented.
    expect(found.outcomes.Results).toBe(down === "skipped" ? "skipped" : "success");
  });

  it("does nothing at all where the secrets are missing", async () => {
    const found = await run("^$", { LAMBDA_API_KEY: "", PULUMI_ACCESS_TOKEN: "" });
    expect(found).toMatchObject({ result: "failure", commands: "", outcomes: { Check: "failure", Down: "skipped" } });
    expect(found.summary).toContain("secret LAMBDA_API_KEY");
  });

  it("takes as the artifact where results of the stack come home", () => {
    const upload = train?.steps.find(({ uses }) => uses?.startsWith("actions/upload-artifact"));
    expect(upload?.with).toMatchObject({ path: "results/$" + "{{ inputs.stack }}/", "include-hidden-files": true });
  });
});
