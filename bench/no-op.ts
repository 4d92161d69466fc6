import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { useTinyWorkload } from "../test/support/tiny";

/**
 * What changes nothing, beside the floor: a program of one RandomId, compiled. All are measured in turn, so that a drift of
 * the machine's speed meets all alike. The figures are medians.
 */
const rounds = 7;
const manyFiles = 100_000;

type Contender = readonly [name: string, run: () => Promise<unknown>];

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-floor-"));
  const [small, big] = [new Project("bench"), new Project("many")];
  try {
    await start(small, {});
    await start(big, { dataset: { source: writeMany(join(folder, "many")) } });
    const floor = await floorOf(join(folder, "floor"), small.env);
    const up = ["up", "--yes", "--skip-preview"];
    const bootstrap = (project: Project, name: string, ...args: string[]) =>
      run(project.folder, project.env, process.execPath, ["engine/bootstrap.mjs", name, ...args]);
    // Before anything is measured: it bundles the sources.
    await bootstrap(small, "up");
    const times = await inTurn([
      ["up, floor", () => floor(up)],
      ["up", () => pulumi(small.folder, small.env, up)],
      ["preview, floor", () => floor(["preview"])],
      ["preview", () => pulumi(small.folder, small.env, ["preview"])],
      ["npm run up", () => bootstrap(small, "up")],
      ["up, many files", () => pulumi(big.folder, big.env, up)],
      ["npm run logs", () => bootstrap(small, "logs", "--no-follow", "--lines", "1")],
      ["npm run status", () => bootstrap(small, "status")],
    ]);
    const of = (name: string): number => times.get(name) ?? Number.NaN;
    for (const [name, seconds] of times) console.log(`${name.padEnd(16)} ${seconds.toFixed(2)} s`);
    tell("up / floor", of("up") / of("up, floor"), 1, "");
    tell("preview / floor", of("preview") / of("preview, floor"), 1, "");
    tell("npm run up over its pulumi up", of("npm run up") - of("up"), 0.5, " s");
    tell(
      `up with ${manyFiles.toLocaleString("en-US")} files over one with three`,
      of("up, many files") - of("up"),
      1,
      " s",
    );
    tell("logs to the first line", of("npm run logs"), 0.7, " s");
    tell("status", of("npm run status"), 1, " s");
  } finally {
    await Promise.all([small.dispose(), big.dispose()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(what: string, figure: number, goal: number, unit: string): void {
  console.log(`${what}: ${figure.toFixed(2)}${unit} (goal: at most ${goal}${unit})${figure > goal ? "  MISSED" : ""}`);
}

/** Brings a stack up that trains for long. */
async function start(project: Project, changes: { dataset?: object }): Promise<void> {
  useTinyWorkload(project, { overrides: { steps: 1_000_000, seconds_per_step: 1 }, ...changes });
  await project.init();
  await TestCloud.start(project);
  await project.succeeds("up");
}

/** A dataset of small files, of which training reads a few. Gives its path. */
function writeMany(folder: string): string {
  for (const split of ["train", "valid", "test"]) {
    mkdirSync(join(folder, split), { recursive: true });
    writeFileSync(join(folder, split, "0.jsonl"), "[1, 3]\n[2, 6]\n");
  }
  const content = "x".repeat(1800);
  for (let i = 0; i < manyFiles; i++) writeFileSync(join(folder, "test", `${i}.inkml`), content + i);
  return folder;
}

/** Makes a project of one resource in a folder of its own, and its stack. Gives how the CLI runs there. */
async function floorOf(folder: string, env: NodeJS.ProcessEnv): Promise<(args: string[]) => Promise<unknown>> {
  mkdirSync(folder);
  symlinkSync(resolve(__dirname, "../node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: floor\nruntime: nodejs\n");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "floor", main: "index.js" }));
  const program = 'const { RandomId } = require("@pulumi/random");\nnew RandomId("id", { byteLength: 4 });\n';
  writeFileSync(join(folder, "index.js"), program);
  const own = { ...env, PULUMI_STACK: undefined };
  await pulumi(folder, own, ["stack", "init", "floor"]);
  return (args) => pulumi(folder, own, [...args, "--stack", "floor"]);
}

/** The median seconds of each. */
async function inTurn(contenders: readonly Contender[]): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(contenders.map(([name]) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of contenders) {
      const started = performance.now();
      await run();
      // The first round makes what isn't there yet, and warms caches.
      if (round >= 0) times.get(name)?.push((performance.now() - started) / 1000);
    }
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]));
}

/** The middle of some numbers. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function pulumi(folder: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<unknown> {
  return run(folder, env, "pulumi", [...args, "--non-interactive"]);
}

/** Runs a program in a folder; throws with its output if it fails. */
function run(cwd: string, env: NodeJS.ProcessEnv, program: string, args: readonly string[]): Promise<unknown> {
  return promisify(execFile)(program, args, { cwd, env });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
