import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../local/folder/remove-tree";
import { bundled } from "../support/bundled";

describe("removing a folder", () => {
  let place: string;
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "lambda-train-remove-"));
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  it("takes names of any bytes, and leaves what its links lead to", async () => {
    mkdirSync(join(place, "kept"));
    writeFileSync(join(place, "kept/file"), "x");
    mkdirSync(join(place, "gone/deep"), { recursive: true });
    writeFileSync(Buffer.concat([Buffer.from(join(place, "gone/deep/")), Buffer.from([0xe9, 0xff])]), "");
    symlinkSync("../kept", join(place, "gone/link"));
    symlinkSync("nowhere", join(place, "gone/dangling"));
    await removeTree(join(place, "gone"));
    expect(await readdir(place)).toEqual(["kept"]);
    expect(existsSync(join(place, "kept/file"))).toBe(true);
  });

  it("takes a link for a link, and a file for a file, and is done where nothing is", async () => {
    mkdirSync(join(place, "kept"));
    writeFileSync(join(place, "kept/file"), "x");
    symlinkSync("kept", join(place, "link"));
    writeFileSync(join(place, "file"), "x");
    for (const name of ["link", "file", "nothing"]) await removeTree(join(place, name));
    expect(await readdir(place)).toEqual(["kept"]);
    expect(existsSync(join(place, "kept/file"))).toBe(true);
  });

  it("takes little memory for very many files", { timeout: 60_000 }, () => {
    const make = "import os, sys\nfor i in range(60000): open(os.path.join(sys.argv[1], str(i)), 'w').close()";
    execFileSync("python3", ["-c", make, place]);
    const program = `
      require(process.argv[2]).removeTree(process.argv[1])
        .then(() => process.stdout.write(String(process.resourceUsage().maxRSS)));`;
    const module = bundled("local/folder/remove-tree.ts");
    const kilobytes = execFileSync(process.execPath, ["-e", program, place, module], { encoding: "utf8" });
    expect(Number(kilobytes)).toBeLessThan(120_000);
    expect(existsSync(place)).toBe(false);
  });
});
