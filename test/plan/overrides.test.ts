import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../plan/experiment";
import { PlanError } from "../../plan/problems";
import { layOver, overridesTree } from "../../plan/yaml/override";

/** The config with these overrides of an experiment file over it. */
function laid(config: string, overrides: string, json = false): string {
  const lines = overrides.split("\n").map((line) => `    ${line}\n`);
  const text = `experiment: a\nworkload: {source: .}\ntrain:\n  overrides:\n${lines.join("")}`;
  return layOver(config, overridesTree(parseExperiment(text, "a.yaml").train.overrides), json);
}

const lightning = `# how it trains
max_epochs: 10
trainer:
  limit_train_batches: 1.0   # all of them
  val_check_interval: 1.0

  overfit_batches: 0.0
optimizer:
  lr: 1e-3
  betas: !!python/tuple [0.9, 0.999]
seed: 12345678901234567890
git_sha: 61e9540
mode: 0777
on: yes
names: ['a', "b"]   # two
`;

describe("an override in the text of a config", () => {
  it.each<[string, string, string, string]>([
    ["a scalar", "a: 1.0 # one\nb: 2\n", "b: 3", "a: 1.0 # one\nb: 3\n"],
    ["a scalar with a comment", "a: 1.0   # one\nb: 2", "a: 2.0", "a: 2.0   # one\nb: 2"],
    [
      "a nested scalar",
      lightning,
      "trainer: {val_check_interval: 0.5}",
      lightning.replace("val_check_interval: 1.0", "val_check_interval: 0.5"),
    ],
    [
      "a tagged list",
      lightning,
      "optimizer: {betas: !!python/tuple [0.8, 0.9]}",
      lightning.replace("[0.9, 0.999]", "[0.8, 0.9]"),
    ],
    [
      "a tagged list by an untagged one",
      lightning,
      "optimizer: {betas: [1, 2]}",
      lightning.replace("!!python/tuple [0.9, 0.999]", "[1, 2]"),
    ],
    ["a list with a comment", lightning, "names: [c]", lightning.replace(`['a', "b"]`, "[c]")],
    ["an empty value", "a:\nb:  # none\n", "b: 1", "a:\nb: 1  # none\n"],
    ["null by a map", "a:\nb: ~ # none\n", "a: {x: 1}\nb: {y: {z: 2}}", "a: {x: 1}\nb: {y: {z: 2}} # none\n"],
    ["by null", "a: 1\n", "a:", "a: null\n"],
    ["a block scalar", "a: | # why\n  x\n  y\n\nb: 1\n", "a: z", "a: z # why\n\nb: 1\n"],
    ["a block scalar with kept lines", "a: |+\n  x\n\n\nb: 1\n", "a: z", "a: z\n\n\nb: 1\n"],
    ["a block list", "a: # these\n  # own\n  - 1\n  - 2 # two\nb: 1\n", "a: [3]", "a: [3] # these # two\nb: 1\n"],
    ["a block list without indentation", "a:\n- 1\n- 2\nb: 1\n", "a: 3", "a: 3\nb: 1\n"],
    ["a block map", "a:\n  x: 1\n  y:\n    z: 2\n\n# b\nb: 1\n", "a: []", "a: []\n\n# b\nb: 1\n"],
    ["by an empty map", "a: 1\nb: {x: 1}\n", "a: {}\nb: {}", "a: {}\nb: {x: 1}\n"],
    ["in a flow map", "m: { a: 1.0, b: [1, 2] }\n", "m: {b: 'x, y'}", 'm: { a: 1.0, b: "x, y" }\n'],
    ["a quoted key", `"a": 1\n'b': 2\n`, "a: 3\nb: 4", `"a": 3\n'b': 4\n`],
    ["a key that is a number", "1: a\n2.0: b\n'1': c\n", "1: d\n2.0: e", "1: d\n2.0: e\n'1': c\n"],
    ["a key with a dot", "a.b: 1\n", "a.b: 2\nc.d: 3", "a.b: 2\nc.d: 3\n"],
    ["the last of two same keys", "a: 1\na: 2\n", "a: 3", "a: 1\na: 3\n"],
    ["tabs before comments", "a:\t1\t# one\n", "a: 2", "a:\t2\t# one\n"],
    [
      "CRLF",
      "a: 1\r\nb:\r\n  - 1\r\nc: 3\r\n",
      "b: 2\nd: {e: {f: 1}}",
      "a: 1\r\nb: 2\r\nc: 3\r\nd:\r\n  e:\r\n    f: 1\r\n",
    ],
    ["BOM", "\ufeffa: 1\n", "a: 2\nb: 3", "\ufeffa: 2\nb: 3\n"],
    ["document markers", "%YAML 1.1\n---\na: 1 # x\n...\n", "a: 2\nb: 3", "%YAML 1.1\n---\na: 2 # x\nb: 3\n...\n"],
    ["on the next line", "a:\n  1 # one\n", "a: 2", "a: 2 # one\n"],
    ["an explicit key", "? a\n: 1\n", "a: 2", "? a\n: 2\n"],
    ["several lines of text", "a: one\n  two\nb: 1\n", "a: 2", "a: 2\nb: 1\n"],
  ])("replaces %s", (_, config, overrides, expected) => {
    expect(laid(config, overrides)).toBe(expected);
  });

  it.each<[string, string, string, string]>([
    ["the end", "a: 1\n\n# end\n", "b: 2\nc: 3", "a: 1\nb: 2\nc: 3\n\n# end\n"],
    ["the end without a line end", "a: 1 # one", "b: 2", "a: 1 # one\nb: 2"],
    [
      "a map",
      "m:\n    a: 1 # one\n    # more\nn: 2\n",
      "m: {b: {c: 2}}",
      "m:\n    a: 1 # one\n    b:\n        c: 2\n    # more\nn: 2\n",
    ],
    [
      "a map that ends in a list",
      "m:\n  a:\n  - 1\n  - x: 2\n    y: [1,\n      2]\n",
      "m: {b: 2}",
      "m:\n  a:\n  - 1\n  - x: 2\n    y: [1,\n      2]\n  b: 2\n",
    ],
    ["a map that ends in null", "m:\n  a: # none\nb: 1\n", "m: {c: 2}", "m:\n  a: # none\n  c: 2\nb: 1\n"],
    [
      "a map that ends in a block scalar",
      "m:\n  a: |\n    x\n\nb: 1\n",
      "m: {c: 2}",
      "m:\n  a: |\n    x\n  c: 2\n\nb: 1\n",
    ],
    [
      "a map that ends in kept lines",
      "m:\n  a: |+\n    x\n\nb: 1\n",
      "m: {c: 2}",
      "m:\n  a: |+\n    x\n\n  c: 2\nb: 1\n",
    ],
    ["a block scalar without a line end", "a: |\n  x", "b: 1", "b: 1\na: |\n  x"],
    [
      "a flow map",
      "m: {a: 1}\nn: {}\no: {a: 1, }\n",
      "m: {b: 2}\nn: {c: 3}\no: {b: 2}",
      "m: {a: 1, b: 2}\nn: {c: 3}\no: {a: 1, b: 2 }\n",
    ],
    ["an empty file", "", "a: 1\nb: {c: 2}", "a: 1\nb:\n  c: 2\n"],
    ["a file of comments", "# mine", "a: 1", "# mine\na: 1\n"],
    ["a file of null", "---\n~ # none\n", "a: 1\nb: 2", "---\na: 1 # none\nb: 2\n"],
    ["an empty document", "# mine\n---\n# yours\n", "a: 1", "# mine\n---\na: 1\n# yours\n"],
  ])("adds to %s", (_, config, overrides, expected) => {
    expect(laid(config, overrides)).toBe(expected);
  });

  it.each<[string, string, string, string]>([
    [
      "below an alias",
      "b: &b {x: 1.0, y: [2]}\nu: *b # user\nv: *b\n",
      "u: {x: 3}",
      "b: &b {x: 1.0, y: [2]}\nu: {x: 3, y: [2]} # user\nv: *b\n",
    ],
    ["of an alias", "b: &b {x: 1.0}\nu: *b # user\n", "u: 3", "b: &b {x: 1.0}\nu: 3 # user\n"],
    ["below an anchor", "b: &b\n  x: 1.0\nu: *b\n", "b: {x: 2}", "b: &b\n  x: 2\nu: {x: 1.0}\n"],
    ["of an anchor", "lr: &lr 1e-3 # lr\nother: *lr\n", "lr: 0.5", "lr: 0.5 # lr\nother: 1e-3\n"],
    [
      "of what is merged",
      "b: &b {x: 1.0, y: 2}\nu:\n  <<: *b\n  z: 3\n",
      "u: {x: 5}",
      "b: &b {x: 1.0, y: 2}\nu:\n  <<: *b\n  z: 3\n  x: 5\n",
    ],
    [
      "below what is merged",
      "b: &b {o: {lr: 1e-3, wd: 2}}\nu:\n  <<: *b\n",
      "u: {o: {wd: 3}}",
      "b: &b {o: {lr: 1e-3, wd: 2}}\nu:\n  <<: *b\n  o:\n    lr: 1e-3\n    wd: 3\n",
    ],
    [
      "of what others merge",
      "b: &b {x: 1.0, y: 2}\nu:\n  <<: *b\n",
      "b: {x: 5}",
      "b: &b {x: 5, y: 2}\nu:\n  <<: {x: 1.0, y: 2}\n",
    ],
    ["around an anchor", "m:\n  a: &a [1.0]\nu: *a\n", "m: 1", "m: 1\nu: [1.0]\n"],
    ["of an alias in the experiment file", "a: 1\nb: 2\n", "a: &x [1.0]\nb: *x", "a: [1.0]\nb: [1.0]\n"],
    [
      "of a merge in the experiment file",
      "a: {x: 1, y: 1}\nb: {x: 1}\n",
      "a: &x {x: 2.0}\nb: {<<: *x, z: 3}",
      "a: {x: 2.0, y: 1}\nb: {x: 2.0, z: 3}\n",
    ],
  ])("%s changes nothing else", (_, config, overrides, expected) => {
    expect(laid(config, overrides)).toBe(expected);
  });

  it.each<[string, string]>([
    ["1.0", "1.0"],
    ["12345678901234567890", "12345678901234567890"],
    ["0777", "0777"],
    ['"0777"', '"0777"'],
    ["'0777'", '"0777"'],
    ["1e-5", "1.0e-5"],
    ["1e5", "1.0e+5"],
    ["-.5", "-0.5"],
    ["1.5E3", "1.5e+3"],
    ["0o17", "15"],
    ["0x1F", "0x1F"],
    [".inf", ".inf"],
    ["61e9540", "61e9540"],
    ["yes", "yes"],
    ['"yes"', '"yes"'],
    ["1_000", "1_000"],
    ["2024-01-01", "2024-01-01"],
    ['"2024-01-01"', '"2024-01-01"'],
    ['"1e5"', '"1e5"'],
    ['"cpu"', "cpu"],
    ['"a: b"', '"a: b"'],
    ['"a\\u0085b"', '"a\\u0085b"'],
    ["!!str 1", "!!str 1"],
    ["[1.0, ~, [a, 'b, c'], {d: 1e-5}]", '[1.0, ~, [a, "b, c"], {d: 1.0e-5}]'],
  ])("of %s is written as %s", (value, expected) => {
    expect(laid("a: 0\n", `a: ${value}`)).toBe(`a: ${expected}\n`);
  });

  it.each<[string, string]>([
    ["1.0", "1.0"],
    ["12345678901234567890", "12345678901234567890"],
    ["1e-5", "1e-5"],
    [".5", "0.5"],
    ["-.5", "-0.5"],
    ["1.", "1.0"],
    ["+1", "1"],
    ["0x1F", "31"],
    ["0777", '"0777"'],
    ["61e9540", '"61e9540"'],
    ["yes", '"yes"'],
    ["True", "true"],
    ["~", "null"],
    ["[1.0, x, {y: 2.50, 3: z}]", '[1.0, "x", {"y": 2.50, "3": "z"}]'],
    ["!!python/tuple [1]", "[1]"],
    [".nan", "NaN"],
  ])("of %s is %s in JSON", (value, expected) => {
    const config = '{\n\t"a": 0,\n\t"lr": 1.0, "big": 9007199254740993\n}';
    expect(laid(config, `a: ${value}`, true)).toBe(config.replace("0", expected));
  });

  it("adds keys to JSON as it is laid out there", () => {
    expect(laid('{"a": 1.0}', "b: {c: 2.0}", true)).toBe('{"a": 1.0, "b": {"c": 2.0}}');
    expect(laid('{\n  "m": {\n    "a": 1.0\n  }\n}\n', "m: {b: x}\nn: 1", true)).toBe(
      '{\n  "m": {\n    "a": 1.0,\n    "b": "x"\n  },\n  "n": 1\n}\n',
    );
    expect(laid("", "a: 1", true)).toBe('{"a": 1}\n');
    expect(laid('{"1": 1.0}', "1: 2.0\n2: x", true)).toBe('{"1": 2.0, "2": "x"}');
  });

  it.each<[string, string, RegExp]>([
    ["a: 1\n", "a: {b: 2}", /the config has "1" there/],
    ["a: [1]\n", "a: {0: 2}", /the config has a list there/],
    ["a: {b: 1}\n", "a.b: 2", /Write a: \{b: …\}/],
    ["[1, 2]\n", "a: 1", /holds no map/],
    ["just text\n", "a: 1", /holds no map/],
    ["a: 1\n---\nb: 2\n", "a: 2", /several YAML documents/],
    ["a: [1\n", "a: 2", /./],
    ["a: *none\n", "a: 2", /the alias \*none has no anchor/],
    ["a: &a {b: *a}\n", "a: {c: 1}", /holds an alias of itself/],
  ])("is refused in %j", (config, overrides, message) => {
    const text = (): string => {
      try {
        return laid(config, overrides);
      } catch (error) {
        const { message: said, next } = error as Error & { next?: string };
        throw new Error(`${said}. ${next}`);
      }
    };
    expect(text).toThrow(message);
    expect(text).not.toThrow(PlanError);
  });
});
