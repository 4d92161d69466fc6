import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { useTinyWorkload } from "../test/support/tiny";

/**
 * An `up` that changes nothing, beside the floor: a program of one RandomId, once as TypeScript through the language
 * host and once compiled. Measured in turn, so that a drift of the machine's speed meets all alike.
 */
const rounds = 7;

async function main(): Promise<void> {
  const project = new Project("bench");
  const typescript = floor(
    "typescript",
    "index.ts",
    'import { RandomId } from "@pulumi/random";\nnew RandomId("id", { byteLength: 4 });\n',
  );
  const compiled = floor(
    "compiled",
    "index.js",
    'const { RandomId } = require("@pulumi/random");\nnew RandomId("id", { byteLength: 4 });\n',
  );
  try {
    useTinyWorkload(project, { overrides: { steps: 1_000_000 } });
    await project.init();
    await TestCloud.start(project);
    const first = await seconds(() => project.run("up"));
    for (const folder of [typescript, compiled]) await pulumi(folder, project.env, ["stack", "init", "floor"]);
    const contenders: [string, () => Promise<unknown>][] = [
      ["this stack", () => pulumi(project.folder, project.env, ["up", "--yes", "--skip-preview"])],
      [
        "floor, TypeScript",
        () => pulumi(typescript, project.env, ["up", "--yes", "--skip-preview", "--stack", "floor"]),
      ],
      ["floor, compiled", () => pulumi(compiled, project.env, ["up", "--yes", "--skip-preview", "--stack", "floor"])],
    ];
    const times = new Map<string, number[]>(contenders.map(([name]) => [name, []]));
    for (let round = -1; round < rounds; round++) {
      for (const [name, run] of contenders) {
        const took = await seconds(run);
        // The first round creates the floors' resources and warms caches.
        if (round >= 0) times.get(name)?.push(took);
      }
    }
    console.log(`first up (emulated cloud, tiny workload)  ${first.toFixed(1)} s`);
    const own = median(times.get("this stack") ?? []);
    for (const [name, all] of times) {
      const middle = median(all);
      const spread = `${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
      console.log(
        `no-op up, ${name.padEnd(18)} median ${middle.toFixed(2)} s (${spread}), this stack / it = ${(own / middle).toFixed(2)}`,
      );
    }
  } finally {
    for (const folder of [typescript, compiled]) rmSync(folder, { recursive: true, force: true });
    await project.dispose();
  }
}

/** A project of one resource in a folder of its own. */
function floor(name: string, file: string, program: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-floor-"));
  symlinkSync(resolve(__dirname, "../node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "Pulumi.yaml"), `name: floor-${name}\nruntime: nodejs\n`);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: `floor-${name}`, main: file }));
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { strict: true, module: "commonjs", skipLibCheck: true } }),
  );
  writeFileSync(join(folder, file), program);
  return folder;
}

/** Wall-clock seconds that something takes. */
async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** The middle of some numbers. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs the Pulumi CLI in a folder; throws with its output when it fails. */
async function pulumi(folder: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const { PULUMI_STACK: _stack, ...rest } = env;
  const stack = args.includes("--stack") || args[0] === "stack" ? rest : env;
  const { stdout } = await promisify(execFile)("pulumi", [...args, "--non-interactive"], { cwd: folder, env: stack });
  return stdout;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
