import { describe, expect, it } from "vitest";
import { findingsIn, lockedPackages, readAdvisories } from "../../local/advisories/match";

const lock = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    "": { version: "0.1.0" },
    "node_modules/left": { version: "1.4.0" },
    "node_modules/@a/right": { version: "2.0.0-rc.1", dev: true },
    "node_modules/left/node_modules/@a/right": { version: "3.1.0" },
    "node_modules/alias": { name: "left", version: "2.5.0" },
  },
});

const span = (...events: object[]): object => ({ type: "SEMVER", events });
const inOsv = (name: string, affected: object): object => ({
  id: "GHSA-aaaa-bbbb-cccc",
  summary: "a hole",
  database_specific: { severity: "HIGH" },
  affected: [{ package: { ecosystem: "npm", name }, ...affected }],
});
const found = (entries: unknown): string[] =>
  findingsIn(lockedPackages(lock), readAdvisories(JSON.stringify(entries))).map(
    ({ locked: { name, version } }) => `${name} ${version}`,
  );

describe("advisories", () => {
  it("are matched by ranges of OSV's format, in each place of the lock file", () => {
    const ranges = [span({ introduced: "0" }, { fixed: "1.4.1" }, { introduced: "2.0.0" }, { last_affected: "2.5.0" })];
    expect(found(inOsv("left", { ranges }))).toEqual(["left 1.4.0", "left 2.5.0"]);
    expect(found([inOsv("left", { ranges: [span({ introduced: "1.4.1" }, { fixed: "2.5.0" })] })])).toEqual([]);
    expect(found({ vulns: [inOsv("left", { versions: ["1.4.0"] })] })).toEqual(["left 1.4.0"]);
    expect(found(inOsv("@a/right", { ranges: [span({ introduced: "0" })] }))).toEqual([
      "@a/right 2.0.0-rc.1",
      "@a/right 3.1.0",
    ]);
  });

  it("are matched by ranges of GitHub's format", () => {
    const vulnerabilities = [
      {
        package: { ecosystem: "npm", name: "left" },
        vulnerable_version_range: ">= 1.0.0, < 1.5.0",
        first_patched_version: "1.5.0",
      },
      { package: { ecosystem: "pip", name: "left" }, vulnerable_version_range: "< 9" },
    ];
    const advisory = { ghsa_id: "GHSA-1", summary: "s", severity: "medium", vulnerabilities };
    expect(found([advisory])).toEqual(["left 1.4.0"]);
    expect(readAdvisories(JSON.stringify(advisory))).toMatchObject([{ severity: "moderate", fixed: ["1.5.0"] }]);
  });

  it("leave out what was withdrawn, and other ecosystems", () => {
    const all = { ranges: [span({ introduced: "0" })] };
    expect(found({ ...inOsv("left", all), withdrawn: "2026-01-01T00:00:00Z" })).toEqual([]);
    expect(
      found({ ...inOsv("left", all), affected: [{ ...all, package: { ecosystem: "PyPI", name: "left" } }] }),
    ).toEqual([]);
  });

  it("are read as JSON lines too, and refused where they are something else", () => {
    const line = JSON.stringify(inOsv("left", { ranges: [span({ introduced: "0" })] }));
    expect(readAdvisories(`${line}\n${line}\n`)).toHaveLength(2);
    expect(() => readAdvisories(`${line}\n{"id": `)).toThrow("entry 2 is no advisory of OSV's or GitHub's format");
    expect(() => readAdvisories("[]")).toThrow("it holds no advisory");
    expect(() => readAdvisories(JSON.stringify(inOsv("left", { versions: ["about 2"] })))).toThrow("about 2");
    expect(() => lockedPackages("{}")).toThrow("no package-lock.json");
  });

  it("tell which packages only development needs", () => {
    const dev = lockedPackages(lock).map(({ name, version, dev }) => `${name} ${version}${dev ? " dev" : ""}`);
    expect(dev).toEqual(["left 1.4.0", "@a/right 2.0.0-rc.1 dev", "@a/right 3.1.0", "left 2.5.0"]);
  });
});
