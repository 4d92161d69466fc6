import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { staysInside } from "../../local/folder/manifest";
import { type Downloaded, type DownloadTreeOptions, downloadTree, verifyResults } from "../../remote/transfer/download";
import { isOwnName, linkAtHome, namedBelow, pathAtHome, topOf } from "../../remote/transfer/names";
import { contents, fill, useTransferPlace } from "./transfer-place";

/** Parts of names that meet, or nearly meet, what the stack puts among results. */
const part = fc.oneof(
  fc.constantFrom("run", "Run", "beside", "earlier", "manifest.json", "manifest.workload.json", "manifest.json.new"),
  fc.constantFrom("run.workload", "run.workload.workload", "beside.WORKLOAD", "manifest.json.workload"),
  fc.constantFrom("a", "train.log", "evaluate.log", "b-2", "\\xe9", "\\x5cxe9", "é", "x\\"),
);
/** A name with odd bytes, as `latin1` text. */
const raw = fc.oneof(
  part.map((text) => Buffer.from(text).toString("latin1")),
  fc.constantFrom("\xe9", "a\xff", "\\\xe9", "\xc3", "\\x5c\xe9", "\xe9".repeat(200)),
);
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

describe("names at home", () => {
  it("stay apart, and never are the stack's own", () => {
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 30 }), (paths) => {
        const home = paths.map(pathAtHome);
        expect(new Set(home).size).toBe(paths.length);
        for (const each of home) {
          expect(["run", "beside", "earlier", "manifest.json"]).not.toContain(topOf(each).toLowerCase());
        }
      }),
    );
  });

  it("of links lead to the same file as before", () => {
    const resolved = (at: string, target: string): string => join("/", at, "..", target);
    fc.assert(
      fc.property(path, fc.array(fc.oneof(part, fc.constantFrom("..", ".", "")), { maxLength: 6 }), (at, parts) => {
        const target = parts.join("/");
        fc.pre(staysInside(at, target));
        const there = resolved(at, target).slice(1);
        const here = resolved(pathAtHome(at), linkAtHome(at, target)).slice(1);
        expect(here).toBe(there === "" ? "" : pathAtHome(there));
      }),
    );
  });

  it("below a folder are one for each path", () => {
    const absolute = fc.uniqueArray(
      path.map((each) => `/${each}`),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(absolute, (paths) => {
        const named = namedBelow("beside", paths);
        expect(Object.values(named).sort()).toEqual([...paths].sort());
        expect(Object.keys(named).every((name) => name.startsWith("beside/"))).toBe(true);
      }),
    );
    expect(namedBelow("beside", ["/a/x", "/b/x", "/c/x-2"])).toEqual({
      "beside/x": "/a/x",
      "beside/x-3": "/b/x",
      "beside/x-2": "/c/x-2",
    });
    expect(isOwnName("running")).toBe(false);
  });
});

describe("results of any name and nature", () => {
  const place = useTransferPlace();
  const { remote } = place;
  const final = (under = ""): string => join(place.local, "results/exp", under);
  const told: string[] = [];
  const fetch = (options: Partial<DownloadTreeOptions> = {}): Promise<Downloaded> => {
    told.length = 0;
    return downloadTree(place.session, {
      remoteRoot: place.root,
      localFinal: final(),
      runEnded: true,
      onProgress: (line) => told.push(line),
      ...options,
    });
  };
  const withoutRecord = async (): Promise<Record<string, string>> => {
    const { "manifest.json": _, ...rest } = await contents(final());
    return rest;
  };

  it("come home beside the stack's own", async () => {
    await fill(remote(), {
      "run/train.log": "theirs",
      "manifest.json": "m",
      "manifest.json.workload": "m2",
      "beside/x": "b",
    });
    await fill(remote(), { earlier: "a file", "manifest.json.new": "n", "manifest.workload.json": "old" });
    await symlink("run/train.log", remote("log"));
    await symlink("../beside", remote("run/up"));
    const logs = join(place.sshd.home, `${place.root}-run`);
    await fill(logs, { "train.log": "ours", "x/y": "beside it" });
    await fetch({ also: { "run/train.log": join(logs, "train.log"), "beside/x": join(logs, "x") } });
    expect(await withoutRecord()).toEqual({
      "run.workload/train.log": "theirs",
      "run.workload/up": "-> ../beside.workload",
      "manifest.json.workload": "m",
      "manifest.json.workload.workload": "m2",
      "manifest.json.new": "n",
      "manifest.workload.json": "old",
      "beside.workload/x": "b",
      "earlier.workload": "a file",
      log: "-> run.workload/train.log",
      "run/train.log": "ours",
      "beside/x/y": "beside it",
    });
    expect(await readFile(final("log"), "utf8")).toBe("theirs");
    expect(told).toContain('The workload\'s own "run" is downloaded as "run.workload": run/ holds the stack\'s logs');
    expect(await verifyResults(final())).toMatchObject({ ok: true, files: 11 });
    // Nothing new: only the record is written again.
    expect(
      await fetch({ also: { "run/train.log": join(logs, "train.log"), "beside/x": join(logs, "x") } }),
    ).toMatchObject({ fetchedFiles: 0 });
    expect(await readFile(final("manifest.json.new"), "utf8")).toBe("n");
  });

  it("come home whatever bytes their names have, each under a name of its own", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.array(raw, { minLength: 1, maxLength: 2 }).map((parts) => parts.join("/")),
          {
            minLength: 1,
            maxLength: 12,
          },
        ),
        async (paths) => {
          await rm(remote(), { recursive: true, force: true });
          await mkdir(remote(), { recursive: true });
          let made = 0;
          for (const each of paths) {
            const full = Buffer.concat([Buffer.from(`${remote()}/`), Buffer.from(each, "latin1")]);
            const folder = full.subarray(0, full.lastIndexOf("/"));
            try {
              await mkdir(folder, { recursive: true });
              await writeFile(full, `content ${made}`);
              made++;
            } catch {
              // One of the others is a file where this one needs a folder, or the other way round.
            }
          }
          const localFinal = join(place.local, `round-${++round}/exp`);
          const done = await fetch({ localFinal, also: { "run/train.log": `${place.root}-none` } });
          expect(done.unstable).toEqual([]);
          const found = Object.entries(await contents(localFinal)).filter(([name]) => name !== "manifest.json");
          expect(new Set(found.map(([, content]) => content)).size).toBe(made);
          expect(await verifyResults(localFinal)).toMatchObject({ ok: true, files: made });
        },
      ),
      { numRuns: 15 },
    );
  }, 120_000);

  it("hide no content, however much their checksums are the same", async () => {
    // As detectron2 leaves it: a link, and a file that holds the link's text.
    await fill(remote(), { last_checkpoint: "model.pt", "model.pt": "weights", empty: "", "also-empty": "" });
    await symlink("model.pt", remote("best"));
    await mkdir(remote("nothing/in here"), { recursive: true });
    await fill(remote(), { plain: "twin", runs: "twin" });
    execFileSync("chmod", ["755", remote("runs")]);
    await mkdir(remote("a-folder"));
    const done = await fetch();
    expect(done.unstable).toEqual([]);
    expect(await withoutRecord()).toEqual(await contents(remote()));
    const modes = execFileSync("stat", ["-c", "%a", final("plain"), final("runs")], { encoding: "utf8" });
    expect(modes).toBe("644\n755\n");
    expect(await readdir(final("nothing/in here"))).toEqual([]);
    expect(await readdir(final("a-folder"))).toEqual([]);
    expect(await verifyResults(final())).toMatchObject({ ok: true, files: 9 });
    await rm(final("a-folder"), { recursive: true });
    expect(await verifyResults(final())).toMatchObject({ ok: false, missing: ["a-folder"] });
    await fetch();
    expect(await verifyResults(final())).toMatchObject({ ok: true });
    // A folder that is there no more goes, one that fills up stays.
    await rm(remote("a-folder"), { recursive: true });
    await fill(remote(), { "nothing/in here/now": "something" });
    await fetch();
    expect((await readdir(final())).includes("a-folder")).toBe(false);
    expect(await readFile(final("nothing/in here/now"), "utf8")).toBe("something");
    expect(await verifyResults(final())).toMatchObject({ ok: true });
  });

  it("take no more room at home than there", async () => {
    await mkdir(remote(), { recursive: true });
    execFileSync("truncate", ["-s", "200M", remote("sparse")]);
    execFileSync(
      "dd",
      ["if=/dev/urandom", `of=${remote("sparse")}`, "bs=1k", "seek=100000", "count=64", "conv=notrunc"],
      {
        stdio: "ignore",
      },
    );
    execFileSync("cp", ["--sparse=always", remote("sparse"), remote("twin")]);
    await fetch();
    for (const name of ["sparse", "twin"]) execFileSync("cmp", [remote(name), final(name)]);
    const kilobytes = Number(execFileSync("du", ["-sk", final()], { encoding: "utf8" }).split("\t")[0]);
    expect(kilobytes).toBeLessThan(2000);
    expect(await verifyResults(final())).toMatchObject({ ok: true });
    // Kept beside by a download from elsewhere they are copied, and stay as small.
    await fetch({ source: "another instance" });
    const all = Number(execFileSync("du", ["-sk", join(place.local, "results")], { encoding: "utf8" }).split("\t")[0]);
    expect(all).toBeLessThan(4000);
  }, 60_000);
});
