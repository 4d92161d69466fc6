import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = resolve(__dirname, "../..");
const json = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));

interface LockEntry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const { dependencies, devDependencies } = json("package.json") as Record<string, Record<string, string>>;
const locked: [folder: string, entry: LockEntry][] = Object.entries(
  json("package-lock.json").packages as Record<string, LockEntry>,
).filter(([folder]) => folder !== "");

/** Licences that let anyone use and pass on what is built with them. Weak copyleft only in tools of development. */
const allowed = [
  ...["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT", "MIT-0", "Python-2.0"],
  ...["CC-BY-3.0", "CC0-1.0", "Unlicense"],
];
const allowedInDevelopment = [...allowed, "MPL-2.0"];

/** Those whose package.json only points to a file; the file was read. */
const byFile: Record<string, string> = { "@logdna/tail-file": "MIT" };

/** The licence of an installed package, as an SPDX expression. */
function licenceOf(folder: string): string {
  const { name, license, licenses } = json(join(folder, "package.json"));
  if (typeof license === "string") return byFile[name] ?? license;
  return license?.type ?? licenses?.map(({ type }: { type: string }) => type).join(" OR ") ?? "none";
}

interface Audit {
  readonly metadata?: object;
  readonly vulnerabilities?: Readonly<Record<string, object>>;
}

/** What `npm audit` found; empty where it was cut short, or is no answer. */
function auditOf(text: string): Audit {
  try {
    return JSON.parse(text) as Audit;
  } catch {
    return {};
  }
}

const permits = (licence: string, among: readonly string[]): boolean => {
  const words = licence.replace(/[()]/g, "");
  return words.includes(" OR ")
    ? words.split(" OR ").some((each) => among.includes(each))
    : words.split(" AND ").every((each) => among.includes(each));
};

describe("dependencies", () => {
  it("have an exact version each in package.json", () => {
    const all = Object.entries({ ...dependencies, ...devDependencies });
    expect(all.length).toBeGreaterThan(15);
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it("are locked by checksum, from whatever registry the user has chosen", () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([folder]) => folder)).toEqual(
      [],
    );
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([folder]) => folder)).toEqual([]);
    expect(readFileSync(join(root, ".npmrc"), "utf8")).not.toMatch(/registry=|\/\//);
  });

  it("run no script when they are installed", () => {
    expect(readFileSync(join(root, ".npmrc"), "utf8").split("\n")).toContain("ignore-scripts=true");
    expect(json("package.json").scripts).not.toHaveProperty("postinstall");
    // Those that would like to. Native helpers of ssh2, which does without, among them.
    const would = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([folder]) => folder);
    expect(would.sort()).toMatchInlineSnapshot(`
      [
        "node_modules/@pulumi/command",
        "node_modules/cpu-features",
        "node_modules/esbuild",
        "node_modules/protobufjs",
        "node_modules/ssh2",
      ]
    `);
  });

  it("are installed as locked: none is missing, none more", async () => {
    const { stdout } = await promisify(execFile)("npm", ["ls", "--all", "--json"], {
      cwd: root,
      maxBuffer: 1 << 26,
    }).catch((error: { stdout: string }) => error);
    expect(JSON.parse(stdout).problems ?? []).toEqual([]);
  });

  it("have licences that permit use and distribution", () => {
    const refused = locked
      // Packages for other platforms are not here.
      .filter(([folder]) => existsSync(join(root, folder)))
      .map(([folder, { dev }]) => [folder, licenceOf(folder), dev ? allowedInDevelopment : allowed] as const)
      .filter(([, licence, among]) => !permits(licence, among));
    expect(refused.map(([folder, licence]) => `${folder}: ${licence}`)).toEqual([]);
  });

  it("of the program hold no compiler of TypeScript", () => {
    const packages = json("package-lock.json").packages as Record<string, { dependencies?: Record<string, string> }>;
    const needed = new Set<string>();
    const need = (name: string): void => {
      if (needed.has(name)) return;
      needed.add(name);
      const copies = Object.entries(packages).filter(([folder]) => folder.endsWith(`node_modules/${name}`));
      for (const [, { dependencies: own = {} }] of copies) for (const each of Object.keys(own)) need(each);
    };
    for (const name of Object.keys(dependencies ?? {})) need(name);
    expect(needed).toContain("csv-parse");
    expect([...needed].filter((name) => ["typescript", "ts-node"].includes(name))).toEqual([]);
  });

  it("that are direct ones are listed in docs/security.md with their licences", () => {
    const rows = Object.keys({ ...dependencies, ...devDependencies })
      .sort()
      .map((name) => {
        const use = name in (dependencies ?? {}) ? "program" : "development";
        return `| \`${name}\` | ${licenceOf(join("node_modules", name))} | ${use} |`;
      });
    const document = readFileSync(join(root, "docs/security.md"), "utf8");
    const [, listed] = /\| --- \| --- \| --- \|\n((?:\|.*\n)+)\n?<!-- end of dependencies -->/.exec(document) ?? [];
    expect(listed?.trim().split("\n")).toEqual(rows);
  });

  it("have no advisory against them, where the registry tells", { timeout: 90_000 }, async (context) => {
    const audit = promisify(execFile)("npm", ["audit", "--json"], { cwd: root, timeout: 60_000 });
    const text = await audit.then(
      ({ stdout }) => stdout,
      (error: { stdout?: string }) => error.stdout ?? "",
    );
    const report = auditOf(text);
    if (report.metadata === undefined) return context.skip("the registry in use answers no audit");
    expect(Object.keys(report.vulnerabilities ?? {})).toEqual([]);
  });
});
