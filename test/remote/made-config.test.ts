import { mkdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { overridesTree } from "../../plan/yaml/override";
import { layOverMade } from "../../remote/made-config";
import { useScriptHost } from "./script-host";

const host = useScriptHost();

/** Lays overrides over `code/configs/a b.<ending>` of the workspace. */
async function lay(content: string | Buffer, overrides: Record<string, unknown>, ending = "yaml"): Promise<string> {
  const path = `configs/a b.${ending}`;
  await mkdir(host.home("work/code/configs"), { recursive: true });
  await writeFile(host.home("work/code", path), content);
  const target = `.lambda-train/it's.${ending}`;
  const config = { path, overrides: { tree: overridesTree(overrides), target } };
  await layOverMade(host.session, { workspace: "work", directory: "code", config });
  return readFile(host.home("work/code", target), "utf8");
}

describe("overrides of a config that setup made", () => {
  it("change what they name, and nothing else", async () => {
    expect(await lay("# ä\nlr: 1e-3 # low\nmodel: {a: 1}\n", { lr: 2, model: { b: 3 } })).toBe(
      "# ä\nlr: 2 # low\nmodel: {a: 1, b: 3}\n",
    );
    expect(JSON.parse(await lay('{"lr": 1, "on": true}', { lr: 2 }, "json"))).toEqual({ lr: 2, on: true });
  });

  it("are plain data: a state may hold them", () => {
    const tree = overridesTree({ a: [1, { b: null }], c: "1" });
    expect(JSON.parse(JSON.stringify(tree))).toEqual(tree);
  });

  it.each([
    ["is no map", "- 1\n", { lr: 2 }, "train.config: configs/a b.yaml, as setup made it, doesn't take the overrides"],
    ["has a value where a map is laid", "lr: 1\n", { lr: { a: 1 } }, "train.overrides.lr: configs/a b.yaml"],
    ["isn't in UTF-8", Buffer.from([0x61, 0x3a, 0x20, 0xff]), { lr: 2 }, "isn't in UTF-8"],
  ])("of one that %s fail by name", async (_, content, overrides, words) => {
    await expect(lay(content, overrides)).rejects.toThrow(words);
  });

  it("of one that isn't there fail by name", async () => {
    const config = { path: "gone.yaml", overrides: { tree: overridesTree({ a: 1 }), target: "x.yaml" } };
    const laid = layOverMade(host.session, { workspace: "work", directory: ".", config });
    await expect(laid).rejects.toThrow("Reading gone.yaml, which setup makes");
  });
});
