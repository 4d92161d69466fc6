import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { watchScript } from "../../../cli/watching/script";

describe("the script of a scheduled watch", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda train's 100% $HOME "));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const env = {
    PATH: "/usr/bin:/bin",
    LAMBDA_API_KEY: 'it\'s $ecret `x` \\ "y"',
    PULUMI_BACKEND_URL: "s3://states?region=x",
    PULUMI_CONFIG_PASSPHRASE_FILE: "keys/passphrase",
    AWS_PROFILE: "me",
    HTTPS_PROXY: "http://proxy:3128",
    TRAIN_HOOK: "https://hooks.example/x",
    OTHER_TOKEN: "theirs",
    LAMBDA_TRAIN_LOSE_RESULTS: "tiny-v1",
    LAMBDA_TRAIN_RESTART: "yes",
    LAMBDA_TRAIN_DOWN: "yes",
    LAMBDA_TRAIN_BUILT: "1",
    PULUMI_STACK: "another",
  };
  /** What a program sees that the script runs in place of Node.js. */
  const ran = (log?: string): { env: Record<string, string>; words: string; output: string } => {
    const node = join(folder, "node");
    const seen = join(folder, "seen");
    writeFileSync(node, `#!/bin/sh\nenv -0 >'${seen.replaceAll("'", "'\\''")}'\necho "$@"\n`, { mode: 0o755 });
    const made = {
      node,
      bootstrap: "engine/bootstrap.mjs",
      project: folder,
      args: ["--stack", "my gpu"],
      needs: ["TRAIN_HOOK"],
      log,
    };
    writeFileSync(join(folder, "watch.sh"), watchScript(made, env));
    const output = execFileSync("env", ["-i", "/bin/sh", join(folder, "watch.sh")], { encoding: "utf8" });
    const pairs = readFileSync(seen, "utf8").split("\0").filter(Boolean);
    const split = pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);
    return { env: Object.fromEntries(split), words: output.trim(), output };
  };

  it("sets what watch needs as it is, and nothing that was meant for another command", () => {
    const { env: seen, words } = ran();
    expect(words).toBe("engine/bootstrap.mjs watch --stack my gpu");
    const { PWD, _, SHLVL, OLDPWD, ...set } = seen;
    expect(PWD).toBe(folder);
    expect(set).toEqual({
      ...{ PATH: env.PATH, LAMBDA_API_KEY: env.LAMBDA_API_KEY, PULUMI_BACKEND_URL: env.PULUMI_BACKEND_URL },
      ...{ AWS_PROFILE: "me", HTTPS_PROXY: env.HTTPS_PROXY, TRAIN_HOOK: env.TRAIN_HOOK },
      PULUMI_CONFIG_PASSPHRASE_FILE: resolve("keys/passphrase"),
    });
  });

  it("keeps a log within bounds", () => {
    const log = join(folder, "watch.log");
    writeFileSync(log, "x".repeat(1_000_000));
    expect(ran(log).output).toBe("");
    expect(readFileSync(`${log}.1`, "utf8")).toHaveLength(1_000_000);
    ran(log);
    expect(readFileSync(log, "utf8")).toBe("engine/bootstrap.mjs watch --stack my gpu\n".repeat(2));
  });
});
