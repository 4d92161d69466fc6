import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secret, UNKNOWN } from "../../engine/plugins/protocol/values";
import { PluginProcess, root, urnOf } from "./support/plugin";

const idUrn = urnOf("random:index/randomId:RandomId", "id");

let plugin: PluginProcess;
beforeAll(async () => {
  plugin = await PluginProcess.start("random");
});
afterAll(() => plugin.stop());

describe("RandomId", () => {
  it("spells the same bytes in four ways, each with the prefix, and the id without it", async () => {
    const { id, outputs } = await plugin.create(idUrn, { byteLength: 9, prefix: "run-" });
    const bytes = Buffer.from(id, "base64url");
    expect(bytes).toHaveLength(9);
    expect(outputs).toEqual({
      byteLength: 9,
      prefix: "run-",
      b64Url: `run-${bytes.toString("base64url")}`,
      b64Std: `run-${bytes.toString("base64")}`,
      hex: `run-${bytes.toString("hex")}`,
      dec: `run-${BigInt(`0x${bytes.toString("hex")}`)}`,
    });
  });

  it("never gives the same bytes twice", async () => {
    const made = await Promise.all(Array.from({ length: 200 }, () => plugin.create(idUrn, { byteLength: 8 })));
    expect(new Set(made.map(({ id }) => id)).size).toBe(200);
    // Half of the 12 800 bits are set; the standard deviation is 57, so 500 is beyond any luck.
    const ones = made.reduce((sum, { id }) => sum + bits(Buffer.from(id, "base64url")), 0);
    expect(Math.abs(ones - 6400)).toBeLessThan(500);
  });

  it("does not draw in a preview", async () => {
    const { id, outputs } = await plugin.create(idUrn, { byteLength: 4 }, true);
    expect(id).toBe("");
    expect(outputs).toEqual({ byteLength: 4, b64Std: UNKNOWN, b64Url: UNKNOWN, dec: UNKNOWN, hex: UNKNOWN });
  });

  it("is replaced by any change, and by an unknown keeper", async () => {
    const olds = { byteLength: 4, keepers: { type: "a" }, hex: "00" };
    expect(await plugin.diff(idUrn, olds, { byteLength: 4, keepers: { type: "a" } })).toEqual({
      changes: false,
      paths: [],
      replaces: [],
    });
    const changed = await plugin.diff(idUrn, olds, { byteLength: 5, keepers: { type: "b" }, prefix: "p" });
    expect(changed.replaces).toEqual(["byteLength", "keepers.type", "prefix"]);
    const unknown = await plugin.diff(idUrn, olds, { byteLength: 4, keepers: { type: UNKNOWN } });
    expect(unknown.replaces).toEqual(["keepers.type"]);
    const ignored = await plugin.diff(idUrn, olds, { byteLength: 5, keepers: { type: "a" } }, ["byteLength"]);
    expect(ignored.changes).toBe(false);
  });

  it("refuses what is not a byte length", async () => {
    expect((await plugin.check(idUrn, {})).failures).toEqual([
      { property: "byteLength", reason: "missing required property" },
    ]);
    expect((await plugin.check(idUrn, { byteLength: 0 })).failures).toEqual([
      { property: "byteLength", reason: "must be at least 1, not 0" },
    ]);
    expect((await plugin.check(idUrn, { byteLength: 4, bytes: 4 })).failures).toEqual([
      { property: "bytes", reason: "unknown property; known are byteLength, keepers, prefix" },
    ]);
    expect((await plugin.check(idUrn, { byteLength: UNKNOWN })).failures).toEqual([]);
  });

  it("keeps a secret input secret in the outputs", async () => {
    const { outputs } = await plugin.create(idUrn, { byteLength: 4, keepers: secret({ a: "b" }) });
    expect(outputs.keepers).toEqual(secret({ a: "b" }));
  });
});

describe("the plugin", () => {
  it("tells the version it stands in for", async () => {
    expect(await plugin.version()).toBe("4.21.2");
  });

  it("refuses other types, and says what it serves", async () => {
    const urn = urnOf("random:index/randomUuid:RandomUuid", "uuid");
    await expect(plugin.create(urn, {})).rejects.toThrow(
      /random:index\/randomUuid:RandomUuid is not served.*it serves random:index\/randomId:RandomId.*pulumi plugin install resource random 4\.21\.2/,
    );
  });

  it("ends when it is interrupted", async () => {
    const other = await PluginProcess.start("random");
    expect(await other.interrupt()).toBe(0);
    await other.stop();
  });

  it("ends when its engine was killed", async () => {
    const other = await PluginProcess.start("random");
    await other.lose();
  });

  it("is found by its wrapper from the program's folder upwards", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lambda-train-wrapper-"));
    const wrapper = join(folder, "pulumi-resource-random");
    copyFileSync(join(root, "engine", "wrappers", "pulumi-resource"), wrapper);
    chmodSync(wrapper, 0o755);
    const inner = join(folder, "project", "inner");
    mkdirSync(inner, { recursive: true });
    symlinkSync(join(root, "dist"), join(folder, "project", "dist"));
    const { LAMBDA_TRAIN_ROOT: _root, ...env } = process.env;
    const wrapped = await PluginProcess.start("random", [wrapper], { cwd: inner, env });
    expect(await wrapped.version()).toBe("4.21.2");
    await wrapped.stop();
    await expect(PluginProcess.start("random", [wrapper], { cwd: folder, env })).rejects.toThrow("ended with 1");
    rmSync(folder, { recursive: true });
  });
});

function bits(bytes: Buffer): number {
  return [...bytes].reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
}
