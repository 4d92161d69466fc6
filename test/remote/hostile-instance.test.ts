import { createHash } from "node:crypto";
import { lstat, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type DownloadTreeOptions, downloadTree } from "../../remote/transfer/download";
import { HostileStreamError } from "../../remote/transfer/hostile";
import { useTransferPlace } from "./transfer-place";

const place = useTransferPlace();

describe("a hostile instance", () => {
  /** A python3 that lists one file truthfully and sends a tar of the test's making. */
  const fake = async (listing: string, tar: string): Promise<void> => {
    const script = `#!/bin/bash\ncase "$*" in\n*" list") cat >/dev/null; { ${listing}; } | gzip ;;\n*" send") cat >/dev/null; ${tar} ;;\n*) exec /usr/bin/env -i PATH=/usr/bin python3 "$@" ;;\nesac\n`;
    await writeFile(join(place.sshd.bin, "python3"), script, { mode: 0o755 });
  };
  const entry = (path: string, more: object = {}): string => {
    const line = JSON.stringify({
      path,
      size: 4,
      sha256: "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4",
      executable: false,
      id: "61",
      ...more,
    });
    return `echo '${line.replaceAll("'", "'\\''")}'`;
  };
  const end = `echo '{"end": true, "skipped": [], "hollow": []}'`;
  const honest = `${entry("a")}; ${end}`;
  const fetch = (options: Partial<DownloadTreeOptions> = {}): Promise<unknown> =>
    downloadTree(place.session, {
      remoteRoot: place.root,
      localFinal: join(place.local, "out/exp"),
      ...options,
    }).catch((e: unknown) => e);
  /** Makes a folder in which tar entries of any name can be packed. */
  const packed = (commands: string, what: string): string => `d=$(mktemp -d); cd $d; ${commands}; tar -czf - ${what}`;

  afterEach(() => rm(join(place.sshd.bin, "python3"), { force: true }));

  it("is heard when honest", async () => {
    await fake(honest, packed("printf 1234 > 0", "0"));
    expect(await fetch()).toMatchObject({ files: 1, unstable: [] });
  });

  const tars: Record<string, string> = {
    "a path that climbs": packed("printf 1234 > 0", "--transform s,0,../../evil, -P 0"),
    "an absolute path": packed("printf 1234 > 0", "--transform s,0,/tmp/lambda-train-evil, -P 0"),
    "a name not asked for": packed("printf 1234 > 7", "7"),
    "a symbolic link": packed("ln -s /etc/passwd 0", "0"),
    "a hard link": packed("printf 1234 > 1; ln 1 0", "0 1"),
    "a device": packed("mkfifo 0", "0"),
    "another size": packed("printf 12345678 > 0", "0"),
    "the same twice": packed("printf 1234 > 0", "0 --hard-dereference 0"),
  };
  it.each(Object.entries(tars))("that sends %s is refused", async (_, tar) => {
    await fake(honest, tar);
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
    await expect(lstat(join(place.local, "out/exp"))).rejects.toThrow("ENOENT");
    expect(await readdir(place.local)).toEqual(["out"]);
    await expect(lstat("/tmp/lambda-train-evil")).rejects.toThrow("ENOENT");
  });

  it("that sends a link for an empty file is refused", async () => {
    const empty = { size: 0, sha256: createHash("sha256").digest("hex") };
    await fake(`${entry("a", empty)}; ${end}`, packed("ln -s /etc/passwd 0", "0"));
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
  });

  const listings: Record<string, string> = {
    "a path that climbs": entry("../evil"),
    "an absolute path": entry("/etc/evil"),
    "a link that leads out": entry("l", { link: "../../.ssh/id" }),
    "something below a link": `${entry("l", { link: "x" })}; ${entry("l/y")}`,
    "a path twice": `${entry("a")}; ${entry("a")}`,
    "a negative size": entry("a", { size: -1 }),
    "no checksum": entry("a", { sha256: "../../x" }),
  };
  it.each(Object.entries(listings))("that lists %s is refused", async (_, lines) => {
    await fake(`${lines}; ${end}`, "true");
    expect(String(await fetch())).toMatch(/is refused/);
  });

  it("that cannot send is heard in its own words", async () => {
    await fake(honest, "echo 'disk went away' >&2; exit 5");
    expect(await fetch()).toMatchObject({
      facts: { kind: "exit", code: 5 },
      message: expect.stringContaining("disk went away"),
    });
  });

  it("that ends its listing early is not believed", async () => {
    await fake(entry("a"), "true");
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  const endWith = (lists: object): string => `echo '${JSON.stringify({ end: true, ...lists })}'`;

  it.each([
    ["none of links without content", { skipped: [] }],
    ["something else as links without content", { skipped: [], hollow: "a" }],
    ["something else as files that cannot be opened", { skipped: {}, hollow: [] }],
  ])("that lists %s is not believed", async (_, lists) => {
    await fake(`${entry("a")}; ${endWith(lists)}`, "true");
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  it("that names what is no path, or what a terminal would obey, does no harm with it", async () => {
    const names = ["../evil", 7, null, ["x"], "", "a\u001b[2J\u009b1m", "b".repeat(255), `${"c/".repeat(2000)}c`];
    await fake(`${entry("a")}; ${endWith({ skipped: names, hollow: names })}`, packed("printf 1234 > 0", "0"));
    const told: string[] = [];
    const error = await fetch({ runEnded: true, onProgress: (line) => told.push(line) });
    const shown = '"a\\u001b[2J\\u009b1m"';
    expect(told).toEqual([expect.stringMatching(/holds them \(3\): .{1,500}$/)]);
    expect(told[0]).toContain(`(3): ${shown}, "${"b".repeat(200)}", `);
    expect(String(error)).toContain(`Files or folders can't be opened on the instance (3): ${shown}, `);
  });

  it("that sends other content than it lists keeps the final folder away", async () => {
    await fake(honest, packed("printf 9999 > 0", "0"));
    expect(await fetch()).toMatchObject({ files: 0, unstable: ["a"] });
  });
});
