import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../../local/paths";

/** Runs a program of node_modules with Node.js in the project. */
function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(projectFolder(), "node_modules", program), ...args],
    {
      cwd: projectFolder(),
      encoding: "utf8",
    },
  );
  return { status, output: stdout + stderr };
}

/** Which of some files the layers' rules refuse, each with one import. */
function refusedImports(imports: readonly (readonly [file: string, module: string])[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-layers-"));
  try {
    cpSync(join(projectFolder(), "layers.json"), join(folder, "biome.json"));
    for (const [file, module] of imports) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `import { it } from "${module}";\n\nexport { it };\n`);
    }
    const biome = join(projectFolder(), "node_modules/@biomejs/biome/bin/biome");
    const { stdout } = spawnSync(process.execPath, [biome, "lint", "--reporter=json"], {
      cwd: folder,
      encoding: "utf8",
    });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string; location: { path: string } }[] };
    return diagnostics.flatMap(({ category, location }) =>
      /noRestrictedImports|noImportCycles/.test(category) ? [location.path] : [],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("the sources", { timeout: 300_000 }, () => {
  it("are formatted, and the linter has nothing to say, not even a warning", () => {
    const { status, output } = run("@biomejs/biome/bin/biome", "check", "--error-on-warnings");
    expect(status, output).toBe(0);
    expect(output).toMatch(/Checked \d{3,} files/);
  });

  it("have no type errors, tests and benchmarks included", () => {
    const { status, output } = run("typescript/bin/tsc", "-p", "tsconfig.json", "--noEmit", "--incremental", "false");
    expect(status, output).toBe(0);
  });

  it("let no arrow go up, and none in a circle", () => {
    const refused = [
      ["local/a.ts", "../plan/plan"],
      ["plan/a.ts", "../remote/run"],
      ["plan/yaml/a.ts", "../../lambda/api/client"],
      ["lambda/a.ts", "@pulumi/pulumi"],
      ["lambda/api/a.ts", "../../components/dynamic/handler"],
      ["remote/a.ts", "../cli/stack/look"],
      ["remote/ssh/a.ts", "../../lambda/api/client"],
      ["components/a.ts", "../engine/plugins/protocol/serve"],
      ["components/resources/a.ts", "../../emulator/cloud"],
      ["cli/a.ts", "../emulator/cloud"],
      ["cli/page/a.ts", "../../engine/plugins/protocol/serve"],
      ["emulator/sandbox/a.ts", "../../local/paths"],
      ["engine/link/a.ts", "../../components/dynamic/handler"],
      ["remote/circle.ts", "./back"],
      ["remote/back.ts", "./circle"],
    ] as const;
    const allowed = [
      ["plan/b.ts", "../local/paths"],
      ["remote/transfer/b.ts", "../../plan/types"],
      ["components/b.ts", "../engine/link/address"],
      ["components/resources/b.ts", "../../lambda/api/client"],
      ["cli/b.ts", "../emulator/control"],
    ] as const;
    expect(new Set(refusedImports([...refused, ...allowed]))).toEqual(new Set(refused.map(([file]) => file)));
  });
});
