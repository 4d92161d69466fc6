import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

const ofEnvironment = "hf_of-the-environment-1";
const ofConfiguration = "wandb_of-the-configuration-2";

const train =
  'echo "train $HF_TOKEN $WANDB_API_KEY"; mkdir -p outputs/{experiment}; echo "$HF_TOKEN" > outputs/{experiment}/leak.txt; ' +
  "exec make train CONFIG={config} EXPERIMENT={experiment}";
/** Fails where a process there has the secret among its arguments. */
const notInArguments =
  "printenv HF_TOKEN > /tmp/pattern && ! grep -qsF -f /tmp/pattern /proc/[0-9]*/cmdline; status=$?; rm /tmp/pattern; exit $status";

/** Each test goes on from where the one before ended. */
describe("secrets of a workload", { timeout: 120_000 }, () => {
  const project = new Project();
  const given = { HF_TOKEN: ofEnvironment };
  const changes: TinyChanges = {
    environment: { secrets: ["HF_TOKEN", "WANDB_API_KEY"], setup: 'echo "with $HF_TOKEN"; test -n "$WANDB_API_KEY"' },
    gate: { command: notInArguments },
    train: { command: train, waitFor: "end" },
    evaluate: { command: 'test -n "$HF_TOKEN" && make evaluate MODEL={checkpoint}' },
    overrides: { steps: 6 },
  };
  let cloud: TestCloud;
  let output: string;

  const hidden = (text: string): void => {
    for (const secret of [ofEnvironment, ofConfiguration]) expect(text).not.toContain(secret);
  };
  const onInstance = (script: string): Promise<string> => project.succeeds("ssh", ["--", script]);

  beforeAll(async () => {
    // Whoever runs the tests may have one.
    for (const name of ["HF_TOKEN", "WANDB_API_KEY"]) delete project.env[name];
    cloud = await startTinyStack(project, changes);
  }, 60_000);
  afterAll(() => project.dispose());

  it("stop an up that lacks one before anything is launched, and no preview", async () => {
    const refused = await project.fails("up");
    expect(refused).toMatch(
      /environment\.secrets: HF_TOKEN is not set[\s\S]*environment\.secrets: WANDB_API_KEY is not set/,
    );
    expect(refused).toContain("config set --secret --path 'lambda-train:secrets.HF_TOKEN'");
    // An instance masks them in its answers: this one would make that of each look at the run unreadable.
    const word = await project.fails("up", [], { HF_TOKEN: "running" });
    expect(word).toMatch(/HF_TOKEN is .* the value from the environment also occurs in clear/);
    expect(await cloud.inventory()).toMatchObject({ instances: [] });
    const { code, output: shown } = await project.pulumi(["preview"], given);
    expect(code, shown).toBe(0);
    expect(shown).toContain("environment.secrets: HF_TOKEN from the environment");
    expect(shown).toContain("WANDB_API_KEY: there is no value for it here, and `up` refuses to start");
  });

  it("are refused in clear in the stack's configuration", async () => {
    const path = "lambda-train:secrets.WANDB_API_KEY";
    await project.pulumi(["config", "set", "--path", path, ofConfiguration]);
    const refused = await project.fails("up", [], given);
    expect(refused).toContain(`${path} is "plain text"`);
    hidden(refused);
    await project.pulumi(["config", "set", "--secret", "--path", path, ofConfiguration]);
  });

  it("reach setup, gate, training and evaluation, and nothing shows them", async () => {
    output = await project.succeeds("up", [], given);
    expect(output).toMatch(/first step: step 1/);
    hidden(output);
    expect(project.stateText()).not.toContain("encryptionsalt");
    hidden(project.stateText());
    hidden(JSON.stringify(await project.outputs(true)));
    const { output: exported } = await project.pulumi(["stack", "export", "--show-secrets"]);
    expect(exported).toContain("HF_TOKEN");
    expect(exported).not.toContain(ofEnvironment);
    const logs = await project.succeeds("logs", ["--no-follow"]);
    expect(logs).toContain(`train ${"*".repeat(ofEnvironment.length)} ${"*".repeat(ofConfiguration.length)}`);
    hidden(await project.succeeds("status"));
  });

  it("are gone from the instance at the run's end, but from the results that hold one, of which `results` warns", async () => {
    await expect.poll(() => onInstance("ls ~/.lambda-train/secrets"), { timeout: 20_000 }).toBe("");
    const found = await onInstance(`grep -rlF -e ${ofEnvironment} -e ${ofConfiguration} ~ 2>/dev/null; echo end`);
    expect(found.trim().split("\n")).toEqual(["/home/ubuntu/tiny/outputs/tiny-v1/leak.txt", "end"]);
    const told = await project.succeeds("results");
    expect(told).toContain("WARNING: ~/tiny/outputs/tiny-v1/leak.txt: these results hold the value of a secret");
    const log = readFileSync(join(project.folder, "results/test/tiny-v1/run/train.log"), "utf8");
    hidden(log);
  });

  it("change nothing by another value, and are there for a command alone after the run", async () => {
    const other = { HF_TOKEN: "hf_another-value-3" };
    const { output: shown } = await project.pulumi(["preview", "--diff"], other);
    expect(shown).toMatch(/\d+ unchanged/);
    expect(shown).not.toMatch(/to (create|update|replace)|another-value/);
    const words = ["--", "sh", "-c", "echo =$HF_TOKEN,$WANDB_API_KEY="];
    expect(await project.succeeds("exec", words, other)).toContain(`=hf_another-value-3,${ofConfiguration}=`);
    expect(await onInstance("ls ~/.lambda-train/secrets")).toBe("");
  });

  it("come again with the next attempt, whether the stack starts it or finds that the last one failed", async () => {
    const once = `test -e ~/tried || { touch ~/tried; exit 9; }; ${train}`;
    configureTiny(project, { ...changes, train: { command: once, waitFor: "end" } });
    const both = { HF_TOKEN: "hf_another-value-3", WANDB_API_KEY: ofConfiguration };
    expect(await project.fails("up", [], both)).toContain("ended with status 9");
    await expect.poll(() => onInstance("ls ~/.lambda-train/secrets"), { timeout: 20_000 }).toBe("");
    expect(await project.succeeds("up", ["--refresh"], both)).toMatch(/it starts again[\s\S]*first step: step 1/);
    expect(await onInstance("cat ~/tiny/outputs/tiny-v1/leak.txt")).toContain("hf_another-value-3");
    expect(await project.succeeds("down", ["--keep-cloud"])).toMatch(/WARNING: tiny-v1: .*leak\.txt/);
    expect(await cloud.inventory()).toMatchObject({ instances: [] });
  });
});
