import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { masked } from "../../local/kept-secrets";
import { type Experiment, parseExperiment } from "../../plan/experiment";
import { secretProblems } from "../../plan/secret-problems";
import { findSecrets, requireSecrets, secretsOf } from "../../plan/secrets";
import { safeText } from "../../remote/log-text";

const experiment = (text: string): Experiment =>
  parseExperiment(`experiment: e\n${text.includes("workload:") ? "" : "workload: {source: w}\n"}${text}`, "a.yaml");
const nothing = { environment: {}, configured: undefined };

describe("secrets of an experiment", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-secrets-"));
    writeFileSync(join(folder, "token"), "of-the-file\n");
    writeFileSync(join(folder, "empty"), "\n");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are names, each alone or with a file", () => {
    const { environment } = experiment("environment: {secrets: [HF_TOKEN, {WANDB_API_KEY: ~/wandb}]}\n");
    expect(secretsOf(environment.secrets)).toEqual([{ name: "HF_TOKEN" }, { name: "WANDB_API_KEY", file: "~/wandb" }]);
    expect(() => experiment("environment: {secrets: HF_TOKEN}\n")).toThrow(/must be a list of names/);
    expect(() => experiment("environment: {secrets: [HF-TOKEN]}\n")).toThrow(/must be a name/);
  });

  it("come from the environment, else the configuration, else the file", () => {
    const secrets = [{ name: "A_TOKEN", file: join(folder, "token") }];
    const configured = JSON.stringify({ A_TOKEN: "of-the-configuration" });
    const environment = { A_TOKEN: "of-the-environment" };
    expect(findSecrets(secrets, { environment, configured }).values.A_TOKEN).toBe("of-the-environment");
    expect(findSecrets(secrets, { environment: { A_TOKEN: "" }, configured }).values.A_TOKEN).toBe(
      "of-the-configuration",
    );
    expect(findSecrets(secrets, nothing)).toMatchObject({
      values: { A_TOKEN: "of-the-file" },
      from: { A_TOKEN: `the file ${join(folder, "token")}` },
      problems: [],
    });
  });

  it("that are missing are named together, with the three ways to give them", () => {
    const secrets = [{ name: "HF_TOKEN" }, { name: "OTHER", file: join(folder, "none") }];
    expect(() => requireSecrets(secrets, nothing)).toThrow(
      /2 problems[\s\S]*HF_TOKEN is not set[\s\S]*Export HF_TOKEN[\s\S]*config set --secret --path 'lambda-train:secrets.HF_TOKEN'[\s\S]*\{HF_TOKEN: ~\/path\}[\s\S]*OTHER/,
    );
  });

  it.each([
    ["short", "abc", "has 3 characters"],
    ["with a NUL", "abcdefg\0h", "NUL"],
    ["endless", "x".repeat(100_001), "longer than"],
    ["a number", "-0.176447e-05", "is a number"],
  ])("that are %s are refused, and not shown", (_, value, message) => {
    const refused = (): unknown =>
      requireSecrets([{ name: "T" }], { environment: { T: value }, configured: undefined });
    expect(refused).toThrow(message);
    expect(refused).not.toThrow(value);
    expect(() => requireSecrets([{ name: "T", file: join(folder, "empty") }], nothing)).toThrow("is empty");
  });

  it("are refused where they also occur in clear: what names the run would be masked in its instance's answers", () => {
    const environment = { PROJECT: "lambda-run-v1" };
    const refused = (): unknown =>
      requireSecrets([{ name: "PROJECT" }], {
        environment,
        configured: undefined,
        clear: '{"experiment":"lambda-run-v1"}',
      });
    expect(refused).toThrow(
      /PROJECT is .* the value from the environment also occurs in clear[\s\S]*environment\.variables/,
    );
    expect(refused).not.toThrow("lambda-run-v1");
  });

  it("are masked whole where one begins as another does, whichever comes first", () => {
    const environment = { A: "hf_prefix", B: "hf_prefix-and-more" };
    for (const names of [
      ["A", "B"],
      ["B", "A"],
    ]) {
      findSecrets(
        names.map((name) => ({ name })),
        { environment, configured: undefined },
      );
      expect(masked("hf_prefix-and-more hf_prefix")).toBe(`${"*".repeat(18)} ${"*".repeat(9)}`);
    }
  });

  it("are masked from then on in what this process prints, line by line where they are long", () => {
    const key = "-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz\n-----END KEY-----";
    findSecrets([{ name: "T" }, { name: "K" }], { environment: { T: "tok-1234567", K: key }, configured: undefined });
    expect(safeText("it is tok-1234567.")).toBe("it is ***********.");
    expect(masked('{"line": "abcdefghijklmnopqrstuvwxyz"}')).not.toContain("abcdefgh");
    expect(masked(JSON.stringify({ key }))).not.toContain("abcdefgh");
  });

  it.each([
    ["secrets: [A_B, A_B]", "environment.secrets", "named twice"],
    ["secrets: [PATH]", "environment.secrets", "variable of the shell"],
    ["secrets: [LAMBDA_API_KEY]", "environment.secrets", "never goes to an instance"],
    ["secrets: [T]\n  variables: {T: in-clear}", "environment.variables.T", "also in environment.secrets"],
  ])("refuse %s", (text, field, message) => {
    const problems = secretProblems(experiment(`environment:\n  ${text}\n`));
    expect(problems).toMatchObject([{ field, message: expect.stringContaining(message) }]);
    expect(JSON.stringify(problems)).not.toContain("in-clear");
  });

  it("are the remedy for a variable that takes from the environment", () => {
    expect(() => experiment(`environment: {variables: {HF: '\${env:HF_TOKEN}'}}\n`)).toThrow(
      /would stay as it is written.*environment\.secrets: \[HF_TOKEN\]/,
    );
    expect(() => experiment(`train: {variables: {HF: '\${env:HF_TOKEN}'}}\n`)).toThrow(/train\.variables\.HF/);
  });

  it.each([
    ["workload: {source: 'https://me:tok-999@git.example/w.git'}\n", "workload.source", "credential helper"],
    ["workload: {source: 'https://tok-999@git.example/w.git'}\n", "workload.source", "credential helper"],
    ["workload: {source: 'ssh://me:tok-999@git.example/w.git'}\n", "workload.source", "credential helper"],
    ["dataset: {source: 'https://me:tok-999@data.example/d.tar'}\n", "dataset.source", "dataset.token"],
  ])("refuses a token in %s", (text, field, next) => {
    const problems = secretProblems(experiment(text));
    expect(problems).toMatchObject([{ field, next: expect.stringContaining(next) }]);
    expect(JSON.stringify(problems)).not.toContain("tok-999");
  });

  it("leave the user of an ssh address, and an address without one", () => {
    for (const source of ["ssh://git@git.example/w.git", "git@git.example:w.git", "https://git.example/a@b.git", "w"])
      expect(secretProblems(experiment(`workload: {source: '${source}'}\n`))).toEqual([]);
  });

  it("are what a dataset's token must name, for a URL", () => {
    const url = "source: 'https://data.example/d.tar'";
    const named = "environment: {secrets: [T_A]}\n";
    expect(secretProblems(experiment(`${named}dataset: {${url}, token: T_A}\n`))).toEqual([]);
    expect(secretProblems(experiment(`${named}dataset: {${url}, token: T_B}\n`))).toMatchObject([
      { field: "dataset.token", next: "Add it: secrets: [T_A, T_B]" },
    ]);
    expect(secretProblems(experiment(`${named}dataset: {source: data, token: T_A}\n`))).toMatchObject([
      { field: "dataset.token", message: expect.stringContaining("dataset.source is none") },
    ]);
  });
});
