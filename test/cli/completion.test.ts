import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(__dirname, "../..");
const script = (shell: string): string =>
  execFileSync(process.execPath, [join(root, "dist/cli/completion.js"), shell], { encoding: "utf8" });

/** What bash offers for the last word. */
function offered(...words: string[]): string[] {
  const quoted = ["lambda-train", ...words].map((word) => `'${word}'`).join(" ");
  const text = `${script("bash")}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _lambda_train; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", text], { encoding: "utf8" }).split("\n").filter(Boolean);
}

describe("shell completion", () => {
  it("offers commands, their options and the project's stacks", () => {
    expect(offered("sta")).toEqual(["status"]);
    expect(offered("st")).toEqual(["status", "stop"]);
    expect(offered("")).toEqual(expect.arrayContaining(["up", "logs", "exec", "ssh-config", "completion"]));
    expect(offered("logs", "--s")).toEqual(["--stack", "--since"]);
    expect(offered("logs", "--stack", "d")).toEqual(["dev"]);
    expect(offered("results", "--w")).toEqual(["--watch"]);
  });

  it("is there for other shells too, and refuses those that it does not know", () => {
    expect(script("zsh")).toContain("compdef _lambda_train lambda-train");
    expect(script("fish")).toMatch(/^complete -c lambda-train .*-l since$/m);
    expect(() => script("tcsh")).toThrow();
  });
});
