import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WatchedCode } from "../../../cli/dev/watched";
import { walkCode } from "../../../local/folder/walk";

describe("watched code", () => {
  let root: string;
  let watched: WatchedCode;
  const ended = new AbortController();
  const write = (path: string): void => writeFileSync(join(root, path), String(Math.random()));
  /** Whether a change is noticed, of which more than enough time tells. */
  const notices = async (change: () => void): Promise<boolean> => {
    let noticed = false;
    const stop = new AbortController();
    const waiting = watched.next(stop.signal).then(
      () => {
        noticed = true;
      },
      () => {},
    );
    change();
    await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 1500))]);
    stop.abort();
    await waiting;
    return noticed;
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
    expect(await notices(() => write("train.py"))).toBe(true);
    expect(await notices(() => write("src/deep/model.py"))).toBe(true);
    expect(await notices(() => mkdirSync(join(root, "src/new")))).toBe(true);
    write("src/new/a.py");
    watched.follow(await walkCode(root, { protectedPaths: ["data"] }));
    expect(await notices(() => write("src/new/a.py"))).toBe(true);
  });

  it("is noticed once for all that changes together", async () => {
    const first = watched.next(ended.signal);
    for (let each = 0; each < 20; each++) write(`src/deep/${each}.py`);
    await first;
    expect(await notices(() => {})).toBe(false);
  });

  it("is not what git ignores, or a dataset holds", async () => {
    expect(await notices(() => write("data/x"))).toBe(false);
    expect(await notices(() => write("ignored/x"))).toBe(false);
  });

  it("may lose a folder", async () => {
    expect(await notices(() => rmSync(join(root, "src"), { recursive: true }))).toBe(true);
    watched.follow(await walkCode(root, { protectedPaths: ["data"] }));
    expect(await notices(() => write("train.py"))).toBe(true);
  });
});
