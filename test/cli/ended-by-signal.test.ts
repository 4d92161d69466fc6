import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { pulumi } from "../../cli/stack/pulumi";

const folder = mkdtempSync(join(tmpdir(), "lambda-train-"));

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it("a CLI that is ended by a signal is told of, with the shell's status and what to do", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  writeFileSync(join(folder, "pulumi"), "#!/bin/sh\nkill -INT $$\n", { mode: 0o755 });
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  expect(await pulumi(["up"])).toBe(130);
  expect(said.mock.calls.flat().join("\n")).toMatch(/ended by SIGINT\. See with `npm run status`/);
});
