import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Project } from "../support/project";

describe("npm run new-experiment", () => {
  const project = new Project();
  afterAll(() => project.dispose());
  const file = "configs/fast.yaml";

  it("writes a valid file with the comments of the one it is made from, and its changes", async () => {
    const set = ["--set", "train.overrides.lr=0.001", "--set", "train.maxHours=2"];
    const output = await project.succeeds("new-experiment", ["--name", "fast", ...set]);
    expect(output).toContain(`lambda-train:experiment: ${file}\n`);
    const from = project.read("configs/hmer-ink.yaml");
    const made = project.read(file);
    expect(made.match(/#/g)?.length).toBeGreaterThanOrEqual(from.match(/#/g)?.length ?? 1);
    expect(made).toMatch(/^# yaml-language-server: \$schema=\.\/experiment\.schema\.json\n/);
    const { experiment, train } = parse(made);
    expect(experiment).toBe("fast");
    expect(train).toMatchObject({ maxHours: 2, overrides: expect.objectContaining({ lr: 0.001 }) });
  });

  it("changes what it is told to change, and leaves the rest as it is written", async () => {
    const from = `# yaml-language-server: $schema=./experiment.schema.json
# mine
experiment:   old   # the name
workload: {source: "https://example.org/a.git", ref: 61e9540} # pinned
dataset:
    source: d
    sha256: ${"0".repeat(64)}
    target: 1.0
environment:
    variables: {PYTHON_VERSION: 3.10, RUN_ID: 12345678901234567890} # as text
gate: { modules: ['yaml'] }
train:
    overrides: # these
        lr: 1e-3
        seed: 12345678901234567890

    maxHours: 1.50
`;
    project.write("configs/from.yaml", from);
    const set = [
      "train.overrides.lr=1.0",
      "train.overrides.rev=0777",
      'train.overrides.date="2024-01-01"',
      "evaluate=null",
    ];
    const args = ["--name", "007", "--from", "configs/from.yaml", "--dataset", "e"];
    await project.succeeds("new-experiment", [...args, ...set.flatMap((each) => ["--set", each])]);
    expect(project.read("configs/007.yaml")).toBe(
      from
        .replace("  old ", '  "007" ')
        .replace("source: d", "source: e")
        .replace(/ +sha256.*\n/, "")
        .replace("1e-3", "1.0")
        .replace("7890\n\n", '7890\n        rev: 0777\n        date: "2024-01-01"\n\n')
        .concat("evaluate: null\n"),
    );
  });

  it("leaves a file that is there as it is", async () => {
    const before = project.read(file);
    const { code, output } = await project.run("new-experiment", ["--name", "fast", "--workload", "elsewhere"]);
    expect(code).toBe(2);
    expect(output).toContain(`${file} already exists. Choose another name.`);
    expect(project.read(file)).toBe(before);
  });

  it.each([
    [["--name", "a b"], /--name.*a b/],
    [["--name", "c", "--set", "train.maxHour=2"], /train.*maxHour/],
    [["--name", "c", "--set", "train.config.x=1"], /train\.config\.x.*no map/],
    [["--name", "c", "--set", "train.config=[a"], /the value is no YAML/],
    [["--name", "c", "--set", "lr"], /train\.overrides\.lr=0\.001/],
    [["--name", "c", "--from", "configs/none.yaml"], /There is no experiment file configs\/none\.yaml/],
    [[], /Name the experiment: --name <name>/],
  ])("refuses %j, and writes nothing", async (args, message) => {
    const { code, output } = await project.run("new-experiment", args);
    expect(code, output).toBe(2);
    expect(output).toMatch(message);
    expect(existsSync(join(project.folder, "configs/c.yaml"))).toBe(false);
  });

  it("asks in a terminal for what no option says", async () => {
    const { child, ended } = project.terminal("new-experiment", ["--dataset", "data/ink"]);
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const answers: [string, string][] = [
      ["Name of the experiment", "asked"],
      ["Experiment file to start from", ""],
      ["Workload, a folder", "../mine"],
      ["Keys to set", "train.maxHours=3 train.graceSeconds=20"],
    ];
    for (const [question, answer] of answers) {
      const deadline = Date.now() + 20_000;
      while (!seen.includes(question) && Date.now() < deadline) await sleep(50);
      child.stdin?.write(`${answer}\r`);
    }
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    expect(output).not.toContain("Dataset, a folder");
    expect(parse(project.read("configs/asked.yaml"))).toMatchObject({
      experiment: "asked",
      workload: { source: "../mine" },
      dataset: { source: "data/ink" },
      train: { maxHours: 3, graceSeconds: 20 },
    });
  });
});
