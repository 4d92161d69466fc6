import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parse } from "yaml";
import { foundExperiment } from "../../plan/found/experiment";
import { missingRules, projectFile, stackFile } from "../../plan/found/project-files";
import { Repository } from "../../plan/found/repository";
import { parseStackConfig } from "../../plan/stack-config";

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

/** What is found in a repository with these files. */
function lookAt(files: Readonly<Record<string, string>>, source = "."): Record<string, Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "my repository-"));
  made.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return parse(foundExperiment(new Repository(folder), { source, schema: "schema.json" }).text);
}

it("takes the targets of a Makefile, with the variables that they read", () => {
  const makefile = "train:\n\tpython3 t.py $(CONFIG)\nevaluate:\n\tpython3 e.py $(MODEL)\ndashboard:\n\ttrue\n";
  const { train, evaluate, dashboard } = lookAt({ Makefile: makefile, "configs/default.yaml": "a: 1\n" });
  expect(train).toEqual({ command: "make train CONFIG={config}", config: "configs/default.yaml" });
  expect([evaluate, dashboard]).toEqual([
    { command: "make evaluate MODEL={checkpoint}" },
    { command: "make dashboard" },
  ]);
});

it("takes the options that a script defines with a value", () => {
  const script = `import argparse
p.add_argument("-c", "--config", required=True)
p.add_argument("--output-dir")
p.add_argument("--resume", action="store_true")
`;
  expect(lookAt({ "train.py": script, "config.yaml": "a: 1\n" }).train).toEqual({
    command: "python3 train.py --config {config} --output-dir outputs/{experiment}",
    config: "config.yaml",
  });
});

it.each([
  [{ "train.py": "from accelerate import Accelerator\n" }, { command: "accelerate launch train.py" }],
  [
    { "main.py": "LightningCLI(Model)\n", "configs/mnist.yaml": "a: 1\n", "requirements.txt": "lightning\n" },
    { command: "python3 main.py fit --config {config}", config: "configs/mnist.yaml" },
  ],
  [
    { "run_glue.py": "from transformers import HfArgumentParser, TrainingArguments\n" },
    { command: "python3 run_glue.py --output_dir outputs/{experiment}" },
  ],
  [{ "requirements.txt": "ultralytics\n", "data.yaml": "names: []\n" }, { command: "yolo train data=data.yaml" }],
  [{ "recognizer/train.py": "" }, { command: "python3 recognizer/train.py", config: null }],
])("knows how common libraries are started: %j", (files, train) => {
  expect(lookAt(files as Record<string, string>).train).toMatchObject(train);
});

it("takes data that is not in git as the dataset, by its path from the project", () => {
  const { dataset, gate, environment } = lookAt(
    { "train.py": "import torch\n", "data/train/a": "1", "data/val/b": "2", "environment.yml": "name: x\n" },
    "..",
  );
  expect(dataset).toEqual({ source: "../data", target: "data", splits: ["train", "val"] });
  expect([gate, environment]).toEqual([{ modules: ["torch"] }, { setup: null }]);
});

it("says what nothing tells", () => {
  const { found } = foundExperiment(new Repository(made[0] ?? ""), { source: ".", schema: "s" });
  expect(found.filter(({ isOpen }) => isOpen)).toEqual([]);
  const empty = mkdtempSync(join(tmpdir(), "empty-"));
  made.push(empty);
  const open = foundExperiment(new Repository(empty), { source: ".", schema: "s" }).found.filter(
    ({ isOpen }) => isOpen,
  );
  expect(open).toMatchObject([{ key: "train.command", why: expect.stringContaining("name the command that trains") }]);
});

it("makes a valid file of each of ten repositories that are shaped like well-known ones", () => {
  const folder = join(__dirname, "../fixtures/foreign");
  for (const name of readdirSync(folder)) {
    const { found } = foundExperiment(new Repository(join(folder, name)), { source: ".", schema: "s" });
    expect(
      found.every(({ why }) => why !== ""),
      name,
    ).toBe(true);
  }
});

it("writes a stack's file that is valid, and adds only the rules that .gitignore lacks", () => {
  const { config } = parse(stackFile("lambda-train/a.yaml")) as { config: Record<string, unknown> };
  const raw = Object.entries(config).map(([key, value]) => [
    key.replace("lambda-train:", ""),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  expect(parseStackConfig(Object.fromEntries(raw))).toMatchObject({ budgetDollars: 10, expectedHours: 3 });
  expect(missingRules("/node_modules\n*.pt\n")).toEqual([".local/", "/results/"]);
  expect(parse(projectFile("my repository", "x"))).toMatchObject({ name: "my-repository", main: "x" });
});

it("names the experiment after the folder", () => {
  expect(lookAt({ "train.py": "" }).experiment).toMatch(/^my-repository-\w+-v1$/);
});
