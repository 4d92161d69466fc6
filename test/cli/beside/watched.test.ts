import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WatchedCode } from "../../../cli/dev/watched";
import { walkCode } from "../../../local/folder/walk";

describe("watched code", () => {
  let root: string;
  let watched: WatchedCode;
  const write = (path: string): void => writeFileSync(join(root, path), String(Math.random()));
  const noticed = async (change: () => void): Promise<void> => {
    const waiting = watched.next(new AbortController().signal);
    change();
    await waiting;
  };
  /** Whether a change is left alone for longer than one is waited for. */
  const ignored = async (change: () => void): Promise<boolean> => {
    const stop = AbortSignal.timeout(500);
    const waiting = watched.next(stop);
    change();
    return waiting.then(
      () => false,
      () => true,
    );
  };

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "lambda-train-watched-"));
    for (const folder of ["src/deep", "data", "ignored"]) mkdirSync(join(root, folder), { recursive: true });
    for (const path of ["train.py", "src/deep/model.py", "data/x", "ignored/x"]) write(path);
    writeFileSync(join(root, ".gitignore"), "ignored\n");
    watched = new WatchedCode(root);
    watched.follow(await walkCode(root, { protectedPaths: ["data"] }));
  });
  afterEach(() => {
    watched.close();
    rmSync(root, { recursive: true });
  });

  it("is noticed wherever it lies, and in folders that are new", async () => {
    await noticed(() => write("train.py"));
    await noticed(() => write("src/deep/model.py"));
    await noticed(() => mkdirSync(join(root, "src/new")));
    write("src/new/a.py");
    watched.follow(await walkCode(root, { protectedPaths: ["data"] }));
    await noticed(() => write("src/new/a.py"));
  });

  it("is noticed once for all that changes together", async () => {
    const first = watched.next(new AbortController().signal);
    for (let each = 0; each < 20; each++) write(`src/deep/${each}.py`);
    await first;
    expect(await ignored(() => {})).toBe(true);
  });

  it("is not what git ignores, or a dataset holds", async () => {
    expect(await ignored(() => write("data/x"))).toBe(true);
    expect(await ignored(() => write("ignored/x"))).toBe(true);
  });

  it("may lose a folder", async () => {
    await noticed(() => rmSync(join(root, "src"), { recursive: true }));
    watched.follow(await walkCode(root, { protectedPaths: ["data"] }));
    await noticed(() => write("train.py"));
  });
});
