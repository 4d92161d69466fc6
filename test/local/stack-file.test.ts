import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readStackFile } from "../../local/stack-file";

describe("a stack's file", () => {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
  const file = join(folder, "Pulumi.test.yaml");
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (text: string) => {
    writeFileSync(file, text);
    return readStackFile(file);
  };

  it("holds a configuration and environments, or nothing", () => {
    expect(read("config: {a: 1}\nenvironment: [e]\n")).toMatchObject({ config: { a: 1 }, environment: ["e"] });
    for (const text of ["", "# nothing\n", "config:\n"]) expect(read(text)).toEqual({ text, config: {} });
    expect(readStackFile(join(folder, "none.yaml"))).toEqual({ text: "", config: {} });
  });

  it.each([
    ["config:\n  a: b: hidden\n", 2],
    ["config:\n  a: hidden\n\tb: 1\n", 3],
    ['config:\n  a: "hidden\n', 3],
    ["config:\n  a: hidden\n  a: 2\n", 3],
    ["config: [hidden\n", 2],
  ])("is named with the line at which it is broken, and nothing that it holds: %j", (text, line) => {
    expect(() => read(text)).toThrow(
      new RegExp(
        `^The stack's file ${file} is no valid YAML, line ${line}, column \\d+: [A-Z][^:\\n]+\\. Correct it there`,
      ),
    );
    expect(() => read(text)).not.toThrow("hidden");
  });
});
