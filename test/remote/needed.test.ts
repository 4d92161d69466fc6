import { describe, expect, it } from "vitest";
import { hashText } from "../../local/folder/hashes";
import type { LocalFile, LocalTree } from "../../local/folder/walk";
import { Needed } from "../../remote/transfer/needed";

const file = (path: string, size = 10): LocalFile => ({ path, size, sha256: hashText(path), executable: false });
const entries: LocalFile[] = [file("a"), { ...file("b"), link: "a" }, { ...file("c", 0), folder: true }, file("d")];
const tree: LocalTree = { root: "/", hash: "h", count: 4, bytes: 20, entries: () => entries };
const asked = (bits: number[], begun: [number, number][] = []): [string, number][] => {
  const needed = new Needed(tree, { need: Buffer.from(bits).toString("base64"), bytes: 20, begun });
  return [...needed.contents()].map(({ file: { path }, offset }) => [path, offset]);
};

describe("what an instance asks for", () => {
  it("are files of the tree, from where it has them", () => {
    expect(asked([0b1000], [[3, 4]])).toEqual([["d", 4]]);
    expect(asked([])).toEqual([]);
    expect(asked([0b1111, 0xff, 0xff])).toEqual([
      ["a", 0],
      ["d", 0],
    ]);
  });

  it.each([-1, 11, 0.5, Number.NaN])("is refused where %s bytes of ten have arrived", (bytes) => {
    expect(() => asked([1], [[0, bytes]])).toThrow(`says that ${bytes} bytes of a have arrived`);
  });
});
