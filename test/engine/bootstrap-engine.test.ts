import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Machine } from "./support/machine";

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.dispose());

describe("choosing the engine", () => {
  const look = "m.readyPulumi({ prepare: false })";

  it("takes the CLI on PATH where it is new enough and has its language host, and asks its version once", async () => {
    const path = machine.program("pulumi", `echo asked >> ${machine.folder}/asked; echo v3.300.1`);
    expect(await machine.evaluate("pulumi", look)).toBeNull();
    const host = machine.program("pulumi-language-nodejs", "");
    const found = { source: "path", version: "v3.300.1", bin: machine.path("bin"), path, host };
    expect(await machine.evaluate("pulumi", look)).toEqual(found);
    expect(await machine.evaluate("pulumi", look)).toEqual(found);
    expect(readFileSync(machine.path("asked"), "utf8")).toBe("asked\n");
  });

  it.each(["v3.199.9", "v2.400.0", "no version at all"])("passes over a CLI that says %s", async (version) => {
    machine.program("pulumi", `echo ${version}`);
    machine.program("pulumi-language-nodejs", "");
    expect(await machine.evaluate("pulumi", look)).toBeNull();
  });

  it("asks again when another CLI takes the place of the one it knew", async () => {
    machine.program("pulumi-language-nodejs", "");
    machine.program("pulumi", "echo v3.300.1");
    await machine.evaluate("pulumi", look);
    machine.program("pulumi", "echo v3.301.22");
    expect(await machine.evaluate("pulumi", look)).toMatchObject({ version: "v3.301.22" });
  });

  it("compares versions as numbers", async () => {
    const cases = [
      "22.19.0 22.19.0",
      "v22.9.0 22.19.0",
      "23.0.0 22.19.0",
      "3.200.0-alpha.1 3.200.0",
      "20.20.2 22.19.0",
    ];
    const expression = `${JSON.stringify(cases)}.map((pair) => m.atLeast(...pair.split(" ")))`;
    expect(await machine.evaluate("paths", expression)).toEqual([true, false, true, true, false]);
  });
});

describe("the vendor's download", () => {
  /** Stands in for curl: answers with an archive of these programs, or fails. */
  const served = (version: string, programs = ["pulumi", "pulumi-language-nodejs"]): void => {
    for (const name of programs) machine.program(name, `echo ${version}`, "archive/pulumi");
    const archive = `tar -czf "$file" -C ${machine.folder}/archive pulumi`;
    machine.program(
      "curl",
      `echo "$@" > ${machine.folder}/asked; while [ "$1" != -o ]; do shift; done; file=$2; ${archive}`,
    );
  };
  const download = "m.downloadEngine()";
  const bin = () => machine.path("cache", "engine", "v3.259.0", "bin");

  it("is unpacked into the cache when it runs", async () => {
    served("v3.259.0");
    expect(await machine.evaluate("vendor", download)).toBeNull();
    expect(readFileSync(machine.path("asked"), "utf8")).toMatch(
      / https:\/\/get\.pulumi\.com\/\S+v3\.259\.0-\S+\.tar\.gz$/m,
    );
    expect(statSync(join(bin(), "pulumi")).mode & 0o111).toBeGreaterThan(0);
    expect(statSync(join(bin(), "pulumi-language-nodejs")).isFile()).toBe(true);
  });

  it("is not taken when it is another version, lacks the language host, or is refused", async () => {
    served("v3.258.0");
    expect(await machine.evaluate("vendor", download)).toBe("the downloaded CLI does not run here");
    rmSync(machine.path("archive"), { recursive: true });
    served("v3.259.0", ["pulumi"]);
    expect(await machine.evaluate("vendor", download)).toBe("the archive lacks the CLI or its language host");
    machine.program("curl", "echo 'curl: (6) Could not resolve host' >&2; exit 6");
    expect(await machine.evaluate("vendor", download)).toBe("curl: (6) Could not resolve host");
    expect(() => statSync(bin())).toThrow("ENOENT");
  });
});

describe("the plugins", () => {
  const install = (ownHome: boolean) => {
    const where = `{ pulumi: { path: "${machine.folder}/bin/pulumi" }, home: "${machine.folder}/plugins-home", ownHome: ${ownHome} }`;
    const found = `m.wantedPlugins().map((plugin) => m.installedPlugin("${machine.folder}/plugins-home", plugin))`;
    return `m.readyPlugins(${where}).then(() => ${found})`;
  };
  /** Stands in for `pulumi plugin install resource NAME VERSION --reinstall [--file FOLDER]`. */
  const cli = (download: string): void => {
    const lines = [
      `echo "$@" >> ${machine.folder}/calls`,
      'to="$PULUMI_HOME/plugins/resource-$4-v$5"',
      'if [ "$7" = --file ]; then mkdir -p "$to" && cp "$8/pulumi-resource-$4" "$to"; exit; fi',
      download,
    ];
    machine.program("pulumi", lines.join("\n"));
  };

  it("are the vendor's where they can be downloaded", async () => {
    cli('mkdir -p "$to" && head -c 100000 /dev/zero > "$to/pulumi-resource-$4"');
    expect(await machine.evaluate("plugins", install(false))).toEqual(["vendor", "vendor"]);
    expect(await machine.evaluate("plugins", install(false))).toEqual(["vendor", "vendor"]);
    expect(readFileSync(machine.path("calls"), "utf8").trim().split("\n")).toHaveLength(2);
  });

  it("are the project's own where the download is refused, which is tried once; and never in a user's own home", async () => {
    cli("exit 255");
    expect(await machine.evaluate("plugins", install(true))).toEqual([null, null]);
    rmSync(machine.path("calls"));
    expect(await machine.evaluate("plugins", install(false))).toEqual(["compat", "compat"]);
    expect(readFileSync(machine.path("calls"), "utf8").replace(/\/\S+/g, "FOLDER").trim().split("\n")).toEqual([
      "plugin install resource command 1.2.1 --reinstall --non-interactive",
      "plugin install resource command 1.2.1 --reinstall --file FOLDER --non-interactive",
      "plugin install resource random 4.21.2 --reinstall --file FOLDER --non-interactive",
    ]);
  });
});
