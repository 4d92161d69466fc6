import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { writeFileLines } from "../../emulator/sandbox/shell";
import { startScripts } from "../../emulator/sandbox/user-data";
import { temporaryFolder } from "./support";

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
});
afterEach(() => remove());

const bash = (script: string): string => execFileSync("bash", ["-c", script], { encoding: "utf8" });
const cloudConfig = (config: object): string => `#cloud-config\n${stringify(config)}`;

describe("write_files", () => {
  test("any bytes arrive as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const file = join(folder, "a b'c", "file");
        bash(writeFileLines(file, Buffer.from(bytes), { mode: "0640" }));
        expect(readFileSync(file)).toEqual(Buffer.from(bytes));
        expect(statSync(file).mode & 0o777).toBe(0o640);
      }),
      { numRuns: 20 },
    );
  });

  test("encodings, permissions and append", () => {
    mkdirSync(join(folder, "d"));
    const write_files = [
      { path: join(folder, "plain"), content: "x\n" },
      { path: join(folder, "b64"), content: Buffer.from("y").toString("base64"), encoding: "b64", permissions: "0600" },
      { path: join(folder, "gz"), content: gzipSync("z").toString("base64"), encoding: "gz+b64", permissions: "0755" },
      { path: join(folder, "plain"), content: "more", append: true },
      { path: "relative", content: "" },
      { path: join(folder, "odd"), content: "", encoding: "rot13" },
    ];
    const said = bash(startScripts(cloudConfig({ write_files }), []).config);
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    expect([read("plain"), read("b64"), read("gz")]).toEqual(["x\nmore", "y", "z"]);
    expect(statSync(join(folder, "b64")).mode & 0o777).toBe(0o600);
    expect(said).toContain("write_files.4 needs a 'path'");
    expect(said).toContain("encoding 'rot13' and is ignored");
  });

  test("one that cannot be written fails the stage, and the others are written", () => {
    const write_files = [
      { path: "/proc/nowhere/x", content: "" },
      { path: join(folder, "after"), content: "ok" },
    ];
    const { config } = startScripts(cloudConfig({ write_files }), []);
    expect(() => execFileSync("bash", ["-c", config], { stdio: "pipe" })).toThrow();
    expect(readFileSync(join(folder, "after"), "utf8")).toBe("ok");
  });
});

describe("cloud-config", () => {
  test("keys of the launch, of the top and of ubuntu are all authorized", () => {
    const config = {
      ssh_authorized_keys: ["ssh-ed25519 AAAAtop"],
      users: ["default", { name: "ubuntu", ssh_authorized_keys: ["ssh-ed25519 AAAAuser"] }, { name: "eve" }],
    };
    const scripts = startScripts(cloudConfig(config), ["ssh-ed25519 AAAAlaunch"]);
    const encoded = /base64 -d >\/home\/ubuntu\/.ssh\/authorized_keys[^\n]*\n([\s\S]+)\nEND_OF/.exec(scripts.home)?.[1];
    expect(Buffer.from(encoded ?? "", "base64").toString()).toBe(
      "ssh-ed25519 AAAAlaunch\nssh-ed25519 AAAAtop\nssh-ed25519 AAAAuser\n",
    );
    expect(bash(scripts.config)).toContain("user 'eve' is not made");
  });

  test("runcmd: texts are shell, lists are commands", () => {
    const { final } = startScripts(cloudConfig({ runcmd: ["echo a; echo b", ["echo", "c  d;e"]] }), []);
    const script = /<<'END_OF_CONTENT' &&\n([\s\S]+)\nEND_OF_CONTENT/.exec(final ?? "")?.[1] ?? "";
    expect(bash(Buffer.from(script, "base64").toString())).toBe("a\nb\nc  d;e\n");
  });

  test.each([
    ["no YAML", "#cloud-config\nkey: [", "Failed loading yaml blob"],
    ["no mapping", "#cloud-config\n- a", "no mapping"],
    ["another header", "runcmd: [ls]", "starts with neither"],
    ["a key that is not honoured", "#cloud-config\nchpasswd: {}", "'chpasswd' of cloud-config is not honoured"],
    ["a list that is none", "#cloud-config\nruncmd: ls", "runcmd is no list"],
  ])("%s is noted and ignored", (_, userData, note) => {
    const scripts = startScripts(userData, ["ssh-ed25519 AAAA"]);
    expect(bash(scripts.config)).toContain(note);
    expect(scripts.final).toBeUndefined();
    expect(scripts.home).toContain("authorized_keys");
  });

  test("a script is run as it is", () => {
    const { final, config } = startScripts("#!/bin/sh\necho hi\n", []);
    expect(bash(config)).toBe("");
    expect(final).toContain("part-001");
    expect(final).toContain(Buffer.from("#!/bin/sh\necho hi\n").toString("base64"));
  });

  test("whatever the text, the scripts are good bash", { timeout: 20_000 }, () => {
    const names = ["users", "write_files", "ssh_keys", "runcmd", "bootcmd", "hostname", "ssh_authorized_keys", "x"];
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.jsonValue({ maxDepth: 1 })));
    const file = fc.record({
      path: fc.constantFrom("/a", "b"),
      content: fc.string(),
      encoding: fc.constantFrom("gz+b64", "b64"),
    });
    const config = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(config, fc.array(file, { maxLength: 2 }), (odd, write_files) => {
        const scripts = startScripts(cloudConfig({ write_files, ...odd }), ["k"]);
        for (const script of [scripts.config, scripts.home, scripts.final, scripts.bootcmd])
          if (script) execFileSync("bash", ["-n"], { input: script });
      }),
      { numRuns: 30 },
    );
  });
});
