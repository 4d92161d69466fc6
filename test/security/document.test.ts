import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(__dirname, "../..");

/** Tests as docs/security.md names them: `test/<file>`: "name of the test", or fault of a case of the matrix. */
const references = [
  ...readFileSync(join(root, "docs/security.md"), "utf8").matchAll(
    /`((?:test|scripts\/agent\/tests)\/[\w./-]+\.(?:ts|py))`: "([^"]+)"/g,
  ),
].map(([, file = "", name = ""]) => [file, name] as const);

it("docs/security.md names tests", () => {
  expect(references.length).toBeGreaterThan(20);
});

it.each(references)("%s has the test that docs/security.md names: %s", (file, name) => {
  const text = readFileSync(join(root, file), "utf8");
  expect(text.includes(`"${name}"`) || text.includes(`def ${name}(`), `no test "${name}"`).toBe(true);
});

it("every line of a table in docs/security.md names a test, or says why there is none", () => {
  const lines = readFileSync(join(root, "docs/security.md"), "utf8").split("\n");
  const threats = lines.filter((line) => line.startsWith("| ") && line.split(" | ").length === 3);
  const rows = threats.filter((line) => !/^\| (threat|package|---|`)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((line) => !/`test\/|\*\*not covered\*\*/.test(line))).toEqual([]);
});
