import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { backupsOf, readBackup } from "../../cli/stack/backups";
import { sameOrigin, stateOrigin } from "../../lambda/account/state-origin";

const root = mkdtempSync(join(tmpdir(), "lambda-train-origin-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(path: string, content: unknown): string {
  const file = join(root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

describe("where the state is kept", () => {
  it("is machine, real folder and an id that the folder keeps for a file backend", () => {
    mkdirSync(join(root, "state"));
    symlinkSync(join(root, "state"), join(root, "link"));
    const of = (name: string): string | undefined =>
      stateOrigin({ PULUMI_BACKEND_URL: `file://${join(root, name)}` }, root);
    expect(of("state")).toMatch(/\?id=[0-9a-f]{32}$/);
    expect(of("state")?.replace(/\?id=.*/, "")).toBe(`file://${hostname()}${join(root, "state")}`);
    expect(of("link")).toBe(of("state"));
    expect(of("other")).not.toBe(of("state"));
    expect(readdirSync(join(root, "state"))).toEqual([".lambda-train-origin"]);
    expect(of(`state?no_tmp_dir=true`)).toBe(of("state"));
  });

  it("is told from a folder of equal path on a machine of equal name, and from a copy of it", () => {
    mkdirSync(join(root, "one"));
    const env = { PULUMI_BACKEND_URL: `file://${join(root, "one")}` };
    const first = stateOrigin(env, root);
    expect(sameOrigin(first, stateOrigin(env, root))).toBe(true);
    cpSync(join(root, "one"), join(root, "copy"), { recursive: true });
    const copy = { PULUMI_BACKEND_URL: `file://${join(root, "copy")}` };
    expect(sameOrigin(first, stateOrigin(copy, root, false))).toBe(false);
    expect(stateOrigin(copy, root)).toMatch(/\?id=[0-9a-f]{32}$/);
    expect(stateOrigin(copy, root)?.slice(-32)).not.toBe(first?.slice(-32));
    // The copy takes the place of the original, as a backup that was restored does.
    rmSync(join(root, "one"), { recursive: true });
    cpSync(join(root, "copy"), join(root, "one"), { recursive: true });
    expect(sameOrigin(first, stateOrigin(env, root))).toBe(false);
  });

  it("keeps the id that an earlier release gave it", () => {
    mkdirSync(join(root, "old"));
    writeFileSync(join(root, "old", ".lambda-train-origin"), `${"ab".repeat(16)}\n`);
    const env = { PULUMI_BACKEND_URL: `file://${join(root, "old")}` };
    expect(stateOrigin(env, root, false)).toMatch(new RegExp(`\\?id=${"ab".repeat(16)}$`));
    expect(stateOrigin(env, root)).toBe(stateOrigin(env, root, false));
  });

  it("is nobody's for certain where a folder keeps no id", () => {
    const origin = stateOrigin({ PULUMI_BACKEND_URL: `file://${join(root, "nowhere")}` }, root);
    expect(origin).toBe(`file://${hostname()}${join(root, "nowhere")}`);
    expect(sameOrigin(origin, origin)).toBe(false);
    expect(sameOrigin("s3://states", "s3://states")).toBe(true);
  });

  it("is the URL without user and query for another", () => {
    expect(stateOrigin({ PULUMI_BACKEND_URL: "https://me:token@states.example.com?x=secret" }, root)).toBe(
      "https://states.example.com",
    );
  });

  it("fits a tag, and stays apart however long", () => {
    const long = (end: string): string =>
      stateOrigin({ PULUMI_BACKEND_URL: `s3://${"a".repeat(200)}${end}` }, root) ?? "";
    expect(long("x").length).toBe(128);
    expect(long("x")).not.toBe(long("y"));
    const deep = join("deep", "a".repeat(100), "b".repeat(100));
    mkdirSync(join(root, deep), { recursive: true });
    const origin = stateOrigin({ PULUMI_BACKEND_URL: `file://${join(root, deep)}` }, root) ?? "";
    expect(origin).toMatch(/^.{92}\?id=[0-9a-f]{32}$/);
  });

  it("is the project's backend, else the login's", () => {
    const env = { PULUMI_HOME: join(root, "home") };
    expect(stateOrigin(env, root)).toBeUndefined();
    write("home/credentials.json", { current: "https://api.pulumi.com" });
    expect(stateOrigin(env, root)).toBe("https://api.pulumi.com");
    write("Pulumi.yaml", "name: x\nbackend:\n  url: gs://states\n");
    expect(stateOrigin(env, root)).toBe("gs://states");
    const token = { PULUMI_HOME: join(root, "nobody"), PULUMI_ACCESS_TOKEN: "pul-secret" };
    rmSync(join(root, "Pulumi.yaml"));
    expect(stateOrigin(token, root)).toBe("https://api.pulumi.com");
    expect(stateOrigin({ ...token, PULUMI_API: "https://states.example.com" }, root)).toBe(
      "https://states.example.com",
    );
  });
});

describe("backups", () => {
  const at = (time: string): object => ({ manifest: { time }, resources: [] });
  const stored = (time: string): object => ({ version: 3, checkpoint: { latest: at(time) } });

  it("are all states that the file backend holds of a stack, newest first", () => {
    const place = "backend/.pulumi";
    write(`${place}/stacks/lambda-train/dev.json`, "{ cut");
    write(`${place}/stacks/lambda-train/dev.json.bak`, stored("2026-01-03T00:00:00Z"));
    write(`${place}/stacks/lambda-train/dev2.json`, stored("2026-01-09T00:00:00Z"));
    write(`${place}/backups/lambda-train/dev/dev.1.json`, stored("2026-01-02T00:00:00Z"));
    write(`${place}/backups/lambda-train/dev/dev.1.json.attrs`, {});
    write(`${place}/history/lambda-train/dev/dev-1.checkpoint.json`, stored("2026-01-04T00:00:00Z"));
    write(`${place}/history/lambda-train/dev/dev-1.history.json`, { kind: "update" });
    const found = backupsOf("dev", `file://${join(root, "backend")}`);
    expect(found.map(({ time }) => time.slice(0, 10))).toEqual(["2026-01-04", "2026-01-03", "2026-01-02"]);
    expect(JSON.parse(found[0]?.text ?? "")).toEqual({ version: 3, deployment: at("2026-01-04T00:00:00Z") });
    expect(backupsOf("dev", "s3://states")).toEqual([]);
  });

  it("are read from an export as well; another file is none", () => {
    const file = write("export.json", { version: 3, deployment: at("2026-01-01T00:00:00Z") });
    expect(readBackup(file)).toHaveLength(1);
    expect(readBackup(write("other.json", { a: 1 }))).toEqual([]);
    expect(readBackup(join(root, "missing"))).toEqual([]);
  });
});
