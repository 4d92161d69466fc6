import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../plan/experiment";
import { fill } from "../../plan/workload";

const file = (rest: string): string => `experiment: a\nworkload: {source: .}\n${rest}`;
const variable = (value: string): string | undefined =>
  parseExperiment(file(`train:\n  variables:\n    V: ${value}\n`), "a.yaml").train.variables.V;

describe("text of an experiment file", () => {
  it.each([
    ["3.10", "3.10"],
    ["9.0", "9.0"],
    ["12345678901234567890", "12345678901234567890"],
    ["0777", "0777"],
    ["0x1F", "0x1F"],
    ["61e9540", "61e9540"],
    ["1e-05", "1e-05"],
    ["on", "on"],
    ["True", "True"],
    ["2024-01-01", "2024-01-01"],
    [".inf", ".inf"],
    ["", ""],
    ["null", ""],
    ["~", ""],
    ['"null"', "null"],
    ["'1.0'", "1.0"],
    ['"a\\tb"', "a\tb"],
    [`a$B \${C}`, `a$B \${C}`],
    ["one\n      two", "one two"],
    ["|\n      one\n      two", "one\ntwo\n"],
    ["!!str 1.0", "1.0"],
  ])("gives a variable that is %j the value %j", (written, value) => {
    expect(variable(written)).toBe(value);
  });

  it("has names, refs and lists as they are written", () => {
    const text = `experiment: 007
workload: {source: "https://example.org/a.git", ref: 61e9540, name: 1.10, subfolder: 2024}
dataset: {source: d, splits: [1, 2.0, &x 03], target: 1.0, sha256: ${"0123456789".repeat(6)}1234}
environment: {answer: 1, file: 1.0, variables: &v {A: 1.0}, inputs: [*x]}
gate: {modules: [yaml, No]}
train: {variables: *v, maxHours: 1.50}
`;
    expect(parseExperiment(text, "a.yaml")).toMatchObject({
      experiment: "007",
      workload: { ref: "61e9540", name: "1.10", subfolder: "2024" },
      dataset: { splits: ["1", "2.0", "03"], target: "1.0", sha256: `${"0123456789".repeat(6)}1234` },
      environment: { answer: "1", file: "1.0", variables: { A: "1.0" }, inputs: ["03"] },
      gate: { modules: ["yaml", "No"] },
      train: { variables: { A: "1.0" }, maxHours: 1.5 },
    });
    expect(parseExperiment(file("environment: {answer: y}\ntrain: {config: null}\n"), "a.yaml")).toMatchObject({
      environment: { answer: "y" },
      train: { config: null },
    });
  });

  it.each([
    ["PATH", "$HOME/bin:$PATH", "$HOME would stay"],
    ["PYTHONPATH", "~/src", "~ would stay"],
    ["LD_LIBRARY_PATH", `\${CUDA_HOME}/lib64:$LD_LIBRARY_PATH`, `\${CUDA_HOME} would stay`],
  ])("refuses a %s that is %s", (name, value, message) => {
    const parse = () => parseExperiment(file(`environment:\n  variables:\n    ${name}: ${value}\n`), "a.yaml");
    expect(parse).toThrow(`environment.variables.${name}`);
    expect(parse).toThrow(message);
  });

  it("lets a search path add to itself, and other variables be what they are", () => {
    const variables = { PATH: "/opt/x/bin:$PATH", PYTHONPATH: `/a~b:\${PYTHONPATH}`, TOKEN: "a$PATH$HOME~" };
    const text = Object.entries(variables).map(([name, value]) => `    ${name}: ${value}\n`);
    const { environment } = parseExperiment(file(`environment:\n  variables:\n${text.join("")}`), "a.yaml");
    expect(environment.variables).toEqual(variables);
  });

  it("tells of an alias without an anchor and of a NUL", () => {
    expect(() => parseExperiment(file("train: {overrides: {a: *b}}\n"), "a.yaml")).toThrow(/b/);
    expect(() => variable('"\\0"')).toThrow("NUL");
  });
});

describe("a command", () => {
  it.each([
    ["make C={config} E={experiment}", "make C=c&$1.yaml E=e"],
    [`echo \${config} \${experiment:-x} {config}`, `echo \${config} \${experiment:-x} c&$1.yaml`],
    ["awk '{print}' {toString} {constructor} {other}", "awk '{print}' {toString} {constructor} {other}"],
  ])("%s is filled in as %s", (command, filled) => {
    expect(fill(command, { config: "c&$1.yaml", experiment: "e", other: undefined })).toBe(filled);
  });
});
