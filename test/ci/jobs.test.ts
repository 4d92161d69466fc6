import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../local/paths";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";
import { type Contexts, type Job, type JobResult, loadWorkflow, runJob } from "./workflow";

/** Runs a job of a workflow in the project, with what a runner's environment has and nothing of the tests' own. */
function runIn(
  project: Project,
  job: Job | undefined,
  given: Contexts,
  fast: NodeJS.ProcessEnv = {},
): Promise<JobResult> {
  if (job === undefined) throw new Error("The workflow has no such job.");
  const inherited = Object.keys(process.env).filter((name) => /^(PULUMI|LAMBDA|npm_|GITHUB_|RUNNER_)/.test(name));
  const runner: NodeJS.ProcessEnv = {
    ...Object.fromEntries(inherited.map((name) => [name, undefined])),
    LAMBDA_TRAIN_LOCAL: undefined,
    PULUMI_BACKEND_URL: undefined,
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_STACK: undefined,
    LAMBDA_TRAIN_CACHE: cacheFolder(),
    HOME: join(project.folder, "home"),
    PATH: (process.env.PATH ?? "")
      .split(delimiter)
      .filter((folder) => !folder.startsWith(join(cacheFolder(), "engine")))
      .join(delimiter),
    RUNNER_ENVIRONMENT: "github-hosted",
    ...fast,
  };
  return runJob(job, given, join(project.folder, "runner"), async (args, env) => {
    return project.start("bash", args, { ...runner, ...env }).ended;
  });
}

describe("the preview job", { timeout: 60_000 }, () => {
  const project = new Project("gpu");
  const { preview } = loadWorkflow("preview").jobs;
  const given = { vars: { LAMBDA_TRAIN_PREVIEW_STACK: "gpu" } };

  beforeAll(() => {
    useTinyWorkload(project, {
      stack: { endpoint: undefined, instanceTypes: ["gpu_1x_a10"], sshSources: ["127.0.0.1"] },
    });
  });
  afterAll(() => project.dispose());

  it("plans a stack on a real account without key, state or cloud, and gives the comment", async () => {
    // As it is after somebody's `up` with a passphrase of their own.
    const salt = "encryptionsalt: v1:P3u8BzlbIDo=:v1:vZdS1uOwxqQJ3yEx:sySHsZPmMm0UYpoE2i0Yx6KpXpw2TA==\n";
    project.write("Pulumi.gpu.yaml", salt + project.read("Pulumi.gpu.yaml"));
    const { result, outputs, summary, log } = await runIn(project, preview, given);
    expect(result, log).toBe("success");
    const { comment = "" } = outputs;
    expect(comment).toMatch(/^<!-- lambda-train preview gpu -->\n### Preview of stack `gpu`\n/);
    expect(comment).toMatch(/~{10}\nPreviewing update[\s\S]* {4}\+ \d+ to create\n[\s\S]*~{10}$/);
    expect(comment).not.toContain("\u001b");
    expect(summary).toBe(`${comment}\n`);
    expect(existsSync(join(project.folder, ".local", "cloud"))).toBe(false);
  });

  it("fails with a comment that says why", async () => {
    project.configure({ experiment: "configs/tiny.yaml", regions: ["Mars"] });
    const { result, outputs } = await runIn(project, preview, given);
    expect(result).toBe("failure");
    expect(outputs.comment).toMatch(/### Preview of stack `gpu` failed\n[\s\S]*lambda-train:regions\.0[\s\S]*~{10}$/);
  });
});

describe("the preview of the job that ships", { timeout: 60_000 }, () => {
  const project = new Project("mathwriting");
  afterAll(() => project.dispose());

  it("plans it on a GPU, with the archive that the instance fetches", async () => {
    const { result, summary, log } = await runIn(project, loadWorkflow("preview").jobs["twelve-steps"], {});
    expect(result, log).toBe("success");
    expect(summary).toContain("### Preview of stack `mathwriting`");
    expect(summary).toMatch(/gpu_1x_a10|gpu_1x_a100/);
  });
});

describe("the train job", { timeout: 120_000 }, () => {
  const project = new Project();
  const { train } = loadWorkflow("train").jobs;
  const given = (): Contexts => ({
    inputs: { stack: "test", experiment: "from-ci", timeout: 5 },
    secrets: {
      PULUMI_BACKEND_URL: project.env.PULUMI_BACKEND_URL ?? "",
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for CI",
    },
    github: { run_attempt: 1 },
  });

  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 10, seconds_per_step: 0.05 } });
    await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("rents, trains, brings the results to where the artifact is taken from, and ends everything", async () => {
    const { result, outcomes, log } = await runIn(project, train, given());
    expect(result, log).toBe("success");
    expect(new Set(Object.values(outcomes)), log).toEqual(new Set(["success"]));
    expect(log).toContain("from-ci: finished (exit status 0)");
    const home = join(project.folder, "results", "test", "from-ci");
    expect(await verifyResults(home)).toMatchObject({ ok: true });
    expect(existsSync(join(home, "metrics", "evaluation.json"))).toBe(true);
    // `down` stopped the emulated cloud, whose account is kept.
    const cloud = await TestCloud.start(project);
    expect((await cloud.admin.ledger()).entries).toHaveLength(1);
    expect(await cloud.inventory()).toEqual(nothing);
    expect(await project.resources()).toEqual([]);
  });
});
