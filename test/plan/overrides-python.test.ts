import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../plan/experiment";
import { layOver, overridesTree } from "../../plan/yaml/override";

/** A map of a made-up config; a leaf is its text. */
interface MadeMap {
  readonly entries: readonly (readonly [string, MadeMap | string])[];
  readonly flow: boolean;
  readonly note: string;
}

const scalars = ["1.0", "1e-3", "61e9540", "0777", "yes", "off", "~", "12345678901234567890", "1_000", "2024-01-01"];
const odd = ["12:30:45", "0.10", ".5", "-0.0", "1.10", "'on'", '"0777"', "text of words", "0x1f", "!!str 7", "a#b"];
const lists = ["[1.0, 2.50]", "!!python/tuple [0.9, 0.999]", "[yes, {k: 1.0}]", "[]", "{}"];
const blocks = [
  "|\n      kept\n       text",
  "\n      - 1.0\n      - k: 2.0\n        l: [1]",
  ">-\n      folded\n\n      text",
];
/** Written in an override → what PyYAML has to read. */
const written: readonly (readonly [string, string])[] = [
  ...[...scalars, ...odd, ...lists]
    .filter((text) => !["1e-3", ".5"].includes(text))
    .map((text) => [text, text] as const),
  ["1e-5", "1.0e-05"],
  ["3E4", "3.0e+4"],
  ["-.5", "-0.5"],
  ["0o17", "15"],
  ["'yes'", "'yes'"],
  ["'1e5'", "'1e5'"],
  ["'2024-01-01'", "'2024-01-01'"],
  ["'a: b, c'", "'a: b, c'"],
  ['"\\U0001F600 \\u0085 \\x7f"', '"\\U0001F600 \\u0085 \\x7f"'],
  ["|\n      a\n      b", "|\n      a\n      b"],
];
/** Not 1: to Python that is the same key as `on`. */
const keys = ["a", "b", "lr", "7", "on", "'q'", "a.b", "2.0"];
const comments = ["", "", "", "  # why", "   # two"];

const uniqueEntries = <T>(value: fc.Arbitrary<T>, minLength: number) =>
  fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), value), { selector: ([key]) => key, minLength, maxLength: 4 });
const leaf = fc.constantFrom(...scalars, ...odd, ...lists, ...blocks);
const map: fc.Memo<MadeMap> = fc.memo((depth) =>
  fc.record({
    entries: uniqueEntries(depth > 1 ? fc.oneof(leaf, leaf, map(depth - 1)) : leaf, 1),
    flow: fc.boolean(),
    note: fc.constantFrom(...comments),
  }),
);

function flowText(made: MadeMap | string): string {
  if (typeof made === "string") return made;
  const single = made.entries.filter(([, value]) => typeof value !== "string" || !value.includes("\n"));
  return `{${single.map(([key, value]) => `${key}: ${flowText(value)}`).join(", ")}}`;
}

function blockText({ entries, note }: MadeMap, indent: string, step: string): string {
  return entries
    .map(([key, value]) => {
      const head = `${indent}${key}:`;
      if (typeof value === "string") {
        if (!value.includes("\n")) return `${head} ${value}${note}\n`;
        return `${head} ${value.replaceAll("\n      ", `\n${indent}${step}`)}\n`.replace(": \n", ":\n");
      }
      return value.flow
        ? `${head} ${flowText(value)}${note}\n`
        : `${head}${note}\n${indent}${step}# own\n${blockText(value, indent + step, step)}\n`;
    })
    .join("");
}

const config = fc
  .record({
    made: map(3),
    step: fc.constantFrom("  ", "    "),
    crlf: fc.boolean(),
    shared: fc.boolean(),
    open: fc.boolean(),
  })
  .map(({ made, step, crlf, shared, open }) => {
    const one = `base: &b\n${blockText(made, step, step)}`;
    const all = shared ? `${one}user: *b\nmixed:\n${step}<<: *b\n${step}own: 1.0 # own\n` : blockText(made, "", step);
    const text = open ? all.trimEnd() : `# top\n${all}\n# end\n`;
    return { made, shared, text: crlf ? text.replaceAll("\n", "\r\n") : text };
  });
const override = uniqueEntries(fc.oneof(fc.constantFrom(...written), uniqueEntries(fc.constantFrom(...written), 1)), 1);

type Over = readonly (readonly [
  string,
  readonly [string, string] | readonly (readonly [string, readonly [string, string]])[],
])[];

/** The overrides as YAML, as written (0) or as PyYAML has to read them (1). */
function overText(over: Over, which: 0 | 1, indent: string): string {
  return over
    .map(([key, value]) => {
      if (typeof value[0] === "string") {
        const text = (value as readonly [string, string])[which];
        return `${indent}${key}: ${text.replaceAll("\n      ", `\n${indent}  `)}\n`;
      }
      return `${indent}${key}:\n${overText(value as Over, which, `${indent}  `)}`;
    })
    .join("");
}

const python = `
import json, sys, yaml
class Loader(yaml.SafeLoader): pass
Loader.add_constructor("tag:yaml.org,2002:python/tuple", lambda l, n: tuple(l.construct_sequence(n, deep=True)))
load = lambda text: yaml.load(text, Loader)
def plain(x):
    if isinstance(x, dict): return {(repr(k)): plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)): return [type(x).__name__] + [plain(v) for v in x]
    return [type(x).__name__, repr(x)]
def merge(base, over):
    if not isinstance(base, dict) or not isinstance(over, dict): return over
    return {**base, **{k: merge(base[k], v) if k in base else v for k, v in over.items()}}
wrong = []
for config, over, rendered in json.load(sys.stdin):
    try: got, want = plain(load(rendered)), plain(merge(load(config), load(over)))
    except Exception as error: got, want = str(error), None
    if got != want: wrong.append([config, over, rendered, str(got), str(want)])
json.dump(wrong, sys.stdout)
`;

describe("a config with overrides, to Python", () => {
  it("is what PyYAML makes of the config and the overrides", { timeout: 120_000 }, () => {
    const examples: string[][] = [];
    let refused = 0;
    fc.assert(
      fc.property(config, override, fc.constantFrom("", "base", "user", "mixed"), ({ text, shared }, over, below) => {
        const inside = shared && below !== "";
        const file = (which: 0 | 1, indent: string): string =>
          inside ? `${indent}${below}:\n${overText(over, which, `${indent}  `)}` : overText(over, which, indent);
        const { overrides } = parseExperiment(
          `experiment: a\nworkload: {source: .}\ntrain:\n  overrides:\n${file(0, "    ")}`,
          "a.yaml",
        ).train;
        let rendered: string;
        try {
          rendered = layOver(text, overridesTree(overrides), false);
        } catch (error) {
          // A map over something that is none, and a path in one key, are told.
          expect(String(error)).toMatch(/a map can't be laid over that|one inside the other/);
          refused += 1;
          return;
        }
        examples.push([text, file(1, ""), rendered]);
      }),
      { numRuns: 300 },
    );
    expect(examples.length).toBeGreaterThan(refused);
    const wrong = execFileSync("python3", ["-c", python], {
      input: JSON.stringify(examples),
      encoding: "utf8",
      maxBuffer: 1e8,
    });
    expect(JSON.parse(wrong)).toEqual([]);
  });

  it("differs in the one line of the value", () => {
    fc.assert(
      fc.property(
        config,
        fc.nat(),
        fc.constantFrom(...written.filter(([text]) => !text.includes("\n"))),
        (made, pick, [value]) => {
          const leaves = made.shared ? [] : singleLines(made.made, []);
          const path = leaves[pick % Math.max(1, leaves.length)];
          if (path === undefined) return;
          const nested = path.map((key) => `{${key}: `).join("");
          const { overrides } = parseExperiment(
            `{experiment: a, workload: {source: .}, train: {overrides: ${nested}${value}${"}".repeat(path.length)}}}`,
            "a.yaml",
          ).train;
          const before = made.text.split("\n");
          const after = layOver(made.text, overridesTree(overrides), false).split("\n");
          expect(after.length).toBe(before.length);
          expect(after.filter((line, at) => line !== before[at]).length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("is what Python's json makes of both, with the text of every number", () => {
    const examples: string[][] = [];
    const number = fc.constantFrom(
      "1.0",
      "1e-5",
      "12345678901234567890",
      "-0.0",
      "2.50",
      "1E+3",
      '"0777"',
      "true",
      "null",
      '"é\\n"',
    );
    const member = fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c", "1"), number), {
      selector: ([key]) => key,
      maxLength: 3,
    });
    const object = (entries: readonly (readonly [string, string])[], glue: string): string =>
      `{${glue}${entries.map(([key, value]) => `"${key}": ${value}`).join(`,${glue || " "}`)}${glue.slice(0, -1)}}`;
    fc.assert(
      fc.property(member, member, member, fc.constantFrom("", "\n\t", "\n  ", "\r\n  "), (base, inner, over, glue) => {
        const text = object([...base, ["m", object(inner, glue)]], glue);
        const laid = object([...over, ["m", object(over, "")]], "");
        const { overrides } = parseExperiment(
          `{experiment: a, workload: {source: .}, train: {overrides: ${laid}}}`,
          "a.yaml",
        ).train;
        examples.push([text, laid, layOver(text, overridesTree(overrides), true)]);
      }),
      { numRuns: 300 },
    );
    const asText = python.replace(/load = .*/, "load = lambda text: json.loads(text, parse_int=str, parse_float=str)");
    const wrong = execFileSync("python3", ["-c", asText], {
      input: JSON.stringify(examples),
      encoding: "utf8",
      maxBuffer: 1e8,
    });
    expect(JSON.parse(wrong)).toEqual([]);
  });
});

/** Paths to the values of one line. */
function singleLines(made: MadeMap, path: readonly string[]): string[][] {
  return made.entries.flatMap(([key, value]) => {
    if (typeof value !== "string") return singleLines(value, [...path, key]);
    return value.includes("\n") || key.includes(".") ? [] : [[...path, key]];
  });
}
