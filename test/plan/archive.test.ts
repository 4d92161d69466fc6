import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { archiveFault } from "../../plan/archive";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fill = "mkdir -p train test; echo a > train/a; echo b > test/b";

/** What is said of an archive that bash makes, as `$OUT`. */
async function faultOf(
  commands: string,
  name = "data.tar.gz",
  splits = ["train", "test"],
): Promise<string | undefined> {
  const path = join(folder, name);
  execFileSync("bash", ["-ec", `mkdir made; cd made; ${commands}`], {
    cwd: folder,
    env: { ...process.env, OUT: path },
  });
  const fault = await archiveFault(path, { target: "data", splits }, join(folder, "cache"));
  return fault && `${fault.message}. ${fault.next ?? ""}`;
}

const zip = (python: string): string => `python3 - "$OUT" <<'P'\nimport sys, zipfile\n${python}\nP`;

describe("an archive of this machine", () => {
  it.each([
    ["its splits on top", `${fill}; tar -czf "$OUT" train test`, "d.tar.gz"],
    ["one folder with them", `mkdir x; cd x; ${fill}; cd ..; tar -cJf "$OUT" x`, "d.tar.xz"],
    [
      "one folder, and what file managers leave",
      `mkdir x; cd x; ${fill}; cd ..; touch Thumbs.db; tar -cf "$OUT" .`,
      "d.tar",
    ],
    ["a zip's", `${fill}; python3 -m zipfile -c "$OUT" train test`, "d.zip"],
    [
      "the separators of Windows",
      zip(
        'z = zipfile.ZipFile(sys.argv[1], "w"); z.writestr("train\\\\a", "1"); z.writestr("test\\\\b", "2"); z.close()',
      ),
      "d.zip",
    ],
    ["a split behind a link", `${fill}; mv test real; ln -s real test; tar -czf "$OUT" train test real`, "d.tgz"],
  ])("is right with %s, and is looked at once", async (_, commands, name) => {
    expect(await faultOf(commands, name)).toBeUndefined();
    expect(readdirSync(join(folder, "cache/archives"))).toHaveLength(1);
  });

  it.each([
    ["lacks a split", `${fill}; tar -czf "$OUT" train`, "no folders train, test on top; it has: train"],
    ["has an empty split", `${fill}; rm test/b; tar -czf "$OUT" train test`, "folder test holds no file"],
    [
      "has its splits deeper",
      `mkdir x; cd x; ${fill}; cd ..; touch l.csv; tar -czf "$OUT" x l.csv`,
      "name x/train, x/test in dataset.splits",
    ],
    ["climbs out", `${fill}; tar -czPf "$OUT" --transform 's,^test/b,../../b,' train test`, "refused"],
    ["links out", `${fill}; ln -s /etc/passwd train/p; tar -czf "$OUT" train test`, "leads out of the dataset"],
    [
      "is cut off",
      `${fill}; head -c 100000 /dev/urandom > train/n; tar -czf "$OUT" train test; truncate -s 50000 "$OUT"`,
      "could not be read",
    ],
    ["is another kind", `printf 'Rar!\\x1a' > "$OUT"`, "a RAR archive"],
    ["is a page", `echo '<!DOCTYPE html><p>Log in' > "$OUT"`, "a web page"],
    [
      "is encrypted",
      `${zip('z = zipfile.ZipFile(sys.argv[1], "w"); z.writestr("train/a", "1"); z.writestr("test/b", "2"); z.close()')}
python3 - "$OUT" <<'P'
import sys
data = open(sys.argv[1], "rb").read().replace(b"PK\\x01\\x02\\x14\\x03\\x14\\x00\\x00", b"PK\\x01\\x02\\x14\\x03\\x14\\x00\\x01")
open(sys.argv[1], "wb").write(data)
P`,
      "is encrypted",
    ],
  ])("is refused if it %s", async (_, commands, message) => {
    expect(await faultOf(commands)).toContain(message);
  });

  it("is looked at again once it has changed", async () => {
    expect(await faultOf(`${fill}; tar -cf "$OUT" train test`, "d.tar")).toBeUndefined();
    writeFileSync(join(folder, "d.tar"), "no archive any more");
    expect(
      await archiveFault(join(folder, "d.tar"), { target: "data", splits: ["train", "test"] }, join(folder, "cache")),
    ).toEqual({
      message: expect.stringContaining("could not be read"),
      next: "Make the archive anew, or give the folder that it was made of",
    });
  });
});
