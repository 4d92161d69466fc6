import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bits } from "../../local/bits";
import { LineFile } from "../../local/folder/lines";
import type { ManifestEntry } from "../../local/folder/manifest";
import { KnownContents } from "../../remote/transfer/known-contents";
import { SortedEntries } from "../../remote/transfer/sorted-entries";

describe("a list on the disk", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-lists-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const entry = (path: string): ManifestEntry => ({ path, size: 1, sha256: sha256(path), executable: false });

  it("gives its lines as they were added, at once or one by one, whatever their length", () => {
    const line = fc.stringMatching(/^[a-zé☃ ]{1,40}$/).map((text) => text.repeat(text.length ** 2));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.integer({ min: 1, max: 99 }), (lines, bytes) => {
        const file = new LineFile(join(folder, "lines"));
        const begins = lines.map((each) => file.add(each));
        expect([...file.lines(0, file.end, bytes)]).toEqual(lines);
        for (const [at, begin] of [...begins.entries()].reverse()) expect(file.at(begin)).toBe(lines[at]);
        for (const [at, begin] of begins.entries()) expect(file.at(begin)).toBe(lines[at]);
        expect(file.count).toBe(lines.length);
        file.close();
      }),
      { numRuns: 50 },
    );
  });

  it("knows contents by their checksums, the last place of each, however many there are", () => {
    const contents = new KnownContents(join(folder, "contents"));
    const many = 5000;
    for (let number = 0; number < many; number++) contents.add(sha256(`${number}`), 0, `${number}`);
    contents.add(sha256("7"), 3, "another");
    // The table alone can't tell these two apart.
    const alike = sha256("7").slice(0, 16).padEnd(64, "0");
    expect(contents.has(alike)).toBe(false);
    contents.add(alike, 1, "alike");
    expect(contents.get(alike)).toEqual({ source: 1, path: "alike" });
    expect(contents.get(sha256("7"))).toEqual({ source: 3, path: "another" });
    for (let number = 8; number < many; number++) {
      expect(contents.get(sha256(`${number}`))).toEqual({ source: 0, path: `${number}` });
    }
    expect(contents.get(sha256("none"))).toBeUndefined();
    expect([contents.use(sha256("8")), contents.use(sha256("8")), contents.has(sha256("8"))]).toEqual([
      true,
      false,
      true,
    ]);
    contents.close();
  });

  it("gives entries by their paths, in whatever order they came", () => {
    const order = [1, 7919, 39_990];
    for (const step of order) {
      const entries = new SortedEntries(join(folder, "entries"));
      const many = 40_000;
      for (let number = 0; number < many; number++) {
        const path = `${(number * step) % (many + 1)}`;
        entries.add(entry(path), number % 2 === 0 ? "placed" : "missing");
      }
      const sorted = [...entries.sorted()];
      const paths = sorted.map((each) => each.entry.path);
      expect(paths).toEqual([...paths].sort());
      expect(new Set(paths).size).toBe(many);
      expect(sorted.filter(({ where }) => where === "placed")).toHaveLength(many / 2);
      expect(sorted[5]).toMatchObject({ entry: entry(paths[5] ?? ""), text: JSON.stringify(entry(paths[5] ?? "")) });
      entries.close();
    }
  });

  it("is empty where nothing came", () => {
    const entries = new SortedEntries(join(folder, "entries"));
    expect([...entries.sorted()]).toEqual([]);
    entries.close();
  });

  it("has a bit for each number", () => {
    const bits = new Bits();
    for (const number of [0, 7, 8, 100_000, 7]) bits.set(number);
    expect(bits.count).toBe(4);
    expect([0, 1, 7, 8, 9, 99_999, 100_000, 1e9].map((number) => bits.has(number))).toEqual([
      true,
      false,
      true,
      true,
      false,
      false,
      true,
      false,
    ]);
  });
});
