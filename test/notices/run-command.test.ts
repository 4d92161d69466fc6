import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { noticeOf } from "../../cli/notify/notice";
import { runCommand } from "../../notices/run-command";
import { readTargets } from "../../notices/targets";

describe("a command that is notified", () => {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-notice-"));
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  const notice = noticeOf({ stack: "test", jobs: [] }, "failed", "training failed", 0);

  it("gets the notice as JSON on its standard input, and no key of ours", async () => {
    vi.stubEnv("LAMBDA_API_KEY", "secret_abc");
    vi.stubEnv("OUT", join(folder, "out"));
    await runCommand('cat > "$OUT"; env >> "$OUT"', notice);
    const [first = "", ...env] = readFileSync(join(folder, "out"), "utf8").split("\n");
    expect(JSON.parse(first)).toEqual({ ...notice });
    expect(env.join("\n")).toContain("OUT=");
    expect(env.join("\n")).not.toContain("secret_abc");
  });

  it("may leave it unread", async () => {
    await runCommand("true", { ...notice, text: "x".repeat(1 << 20) });
  });

  it("tells its status and nothing that it printed", async () => {
    await expect(runCommand("echo token_abc >&2; false | cat", notice)).rejects.toThrow(
      /^the command ended with status 1$/,
    );
    await expect(runCommand("kill -9 $$", notice)).rejects.toThrow("the command ended with SIGKILL");
  });

  it("ends with all that it has started when it takes too long", async () => {
    const mark = join(folder, "late");
    await expect(runCommand(`(sleep 1; touch ${mark}) & wait`, notice, 100)).rejects.toThrow("didn't end within 0.1 s");
    await new Promise((done) => setTimeout(done, 1300));
    expect(() => readFileSync(mark)).toThrow("ENOENT");
  });

  it("is called by its program's name, which holds no address", () => {
    const read = (command: string): unknown => readTargets([{ command }], [{ command }], {});
    expect(read("/usr/bin/apprise -b x tgram://token")).toMatchObject([
      { name: "command 1 (apprise)", kind: "command" },
    ]);
    expect(read("TOKEN=abc send")).toMatchObject([{ name: "command 1" }]);
    expect(() => read("")).toThrow("must");
  });
});
