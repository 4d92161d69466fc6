import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { renderExtract } from "../../remote/scripts";
import { bringSecrets, lookForSecrets, secretsText } from "../../remote/secrets";
import { waitForEnd } from "../../remote/waiting";
import { setupPlan, testEvaluation, testPlan } from "./plan";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);
const token = "hf_tokenOfTheTests42";
const secrets = [{ name: "HF_TOKEN" }];
const folder = ".lambda-train/secrets";
const kept = (): Promise<string[]> => readdir(host.home(folder)).catch(() => []);

describe("secrets on the instance", () => {
  beforeEach(() => bringSecrets(host.session, { HF_TOKEN: token }));

  it("are in a file for its user alone, and in setup's variables, but not in what setup leaves", async () => {
    expect((await stat(host.home(folder, "values.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(host.home(folder))).mode & 0o777).toBe(0o700);
    const setup = 'echo "it is $HF_TOKEN"; [ -n "$HF_TOKEN" ] && touch had-it';
    const { code, stdout, stderr } = await host.send(setupPlan({ setup }));
    expect(code, stderr).toBe(0);
    expect(await readdir(host.home("work"))).toContain("had-it");
    expect(stdout + stderr).not.toContain(token);
    expect(await host.text(".lambda-train/env.sh")).not.toContain(token);
    expect(await host.text(".lambda-train/steps/setup/log")).toContain("it is ********************");
    const failed = await host.send(setupPlan({ setup: 'echo "no $HF_TOKEN"; exit 3', hash: "e2" }));
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining("no ********") });
  });

  it("serve training and evaluation, are masked in logs and status, and gone at the end", async () => {
    const out = "outputs/$LAMBDA_TRAIN_RUN";
    const command =
      `mkdir -p ${out}/checkpoints; echo "step 1 $HF_TOKEN"; echo "$HF_TOKEN" > ${out}/leak.txt; ` +
      `echo fine > ${out}/fine.txt; touch ${out}/checkpoints/best_1.pt; sleep 1`;
    const evaluation = {
      ...testEvaluation,
      command: '[ -n "$HF_TOKEN" ] && echo "evaluated $HF_TOKEN" # {checkpoint}',
    };
    const plan = runs.plan(command, { evaluation, run: { secrets } });
    const { said } = await runs.start(plan);
    expect(said).toContain("started");
    const { access } = host.sshd;
    expect(await waitForEnd(access, plan.run, { timeoutSeconds: 20 })).toMatchObject({ evaluation: { state: "done" } });
    await expect.poll(kept).toEqual([]);
    const status = await runs.status(plan);
    expect(JSON.stringify(status)).not.toContain(token);
    expect(status.firstStepLine).toBe("step 1 ********************");
    expect(await runs.file(plan, "train.log")).toContain("step 1 ********************\n");
    expect(await runs.file(plan, "evaluate.log")).toContain("evaluated ********************\n");
    expect(await runs.file(plan, "state.json")).not.toContain(token);
    const found = await lookForSecrets(host.session, plan.run.experiment);
    expect(found).toMatchObject({ files: [`~/work/outputs/${plan.run.experiment}/leak.txt`], more: 0 });
    expect(secretsText(found)).toContain("leak.txt: these results hold the value of a secret");
  });

  it("stay while another run goes on, and a finished run that is asked for again needs none", async () => {
    const long = runs.plan("echo step 1; sleep 60", { run: { secrets } });
    const short = runs.plan("echo step 1", { run: { secrets } });
    await runs.start(long);
    await runs.start(short);
    await runs.until(short, "finished");
    expect(await kept()).toEqual(["values.json"]);
    await runs.stop(long);
    await expect.poll(kept).toEqual([]);
    await bringSecrets(host.session, { HF_TOKEN: token });
    expect((await runs.start(short)).said).toContain("already finished");
    expect(await kept()).toEqual([]);
  });

  it("must be there for an attempt to start", async () => {
    const plan = runs.plan("echo step 1; exit 1", { run: { secrets: [...secrets, { name: "OTHER_TOKEN" }] } });
    expect(await runs.start(plan)).toMatchObject({ code: 8, said: expect.stringContaining("OTHER_TOKEN") });
  });

  it("are masked in a log as it comes, whatever is cut where", async () => {
    const half = Math.floor(token.length / 2);
    const script = `printf 'step 1 ${"x".repeat(50)}%s' "\${HF_TOKEN:0:${half}}"; sleep 1; printf '%s|\\n' "\${HF_TOKEN:${half}}"; sleep 60`;
    const plan = runs.plan(script, { run: { secrets } });
    await runs.start(plan);
    await expect.poll(() => runs.file(plan, "train.log"), { timeout: 10_000 }).toMatch(/x\*{20}\|/);
    await runs.stop(plan);
  });

  it("brought for one command are gone as it begins", async () => {
    const { code, stdout } = await host.ask("secrets-put-once", { values: { ONCE_TOKEN: "only-for-once" } });
    expect(code).toBe(0);
    const document = {
      experiment: "",
      folder: "",
      words: ["sh", "-c", "echo $ONCE_TOKEN $HF_TOKEN"],
      secrets: stdout.trim(),
    };
    expect((await host.ask("exec", document)).stdout).toBe(`only-for-once ${token}\n`);
    expect(await kept()).toEqual(["values.json"]);
  });

  it("a dataset's token must be among them", async () => {
    const source = { kind: "url" as const, url: "https://127.0.0.1:1/d.tar" };
    const plan = testPlan({ dataset: { source, target: "data", splits: [], hash: "d1", token: "OTHER" } });
    const { code, stderr } = await host.send(renderExtract(plan));
    expect(code).toBe(3);
    expect(stderr).toContain("The secret OTHER (dataset.token) is not on the instance");
    await writeFile(host.home("work/none"), "");
    expect(await readFile(host.home(".lambda-train/steps/dataset/document"), "utf8")).not.toContain(token);
  });
});
