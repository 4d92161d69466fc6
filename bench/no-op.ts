import { execFile } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { type TinyChanges, useTinyWorkload } from "../test/support/tiny";
import { report } from "./figures";
import { roomyFolder } from "./in-memory";
import { type Contender, medians } from "./rounds";

/**
 * What changes nothing, beside the floor: a program of one RandomId, compiled. And one changed file of many.
 */
const rounds = 5;
const manyFiles = 100_000;
const mathwriting = 655_620;
const smallBytes = 1800;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(roomyFolder(), "lambda-train-floor-"));
  const [small, big, huge] = [new Project("bench"), new Project("many"), new Project("very-many")];
  try {
    const endless = { overrides: { steps: 1_000_000, seconds_per_step: 1 } };
    await start(small, endless);
    await small.succeeds("up");
    // Its training has ended: a change of the dataset would be kept away from one that goes on.
    const many = writeMany(join(folder, "many"), manyFiles);
    await start(big, { overrides: { steps: 3 }, dataset: { source: many } });
    await big.succeeds("up");
    await big.run("wait");
    const floor = await floorOf(join(folder, "floor"), small.env);
    const up = ["up", "--yes", "--skip-preview"];
    const bootstrap = (project: Project, name: string, ...args: string[]) =>
      run(project.folder, project.env, process.execPath, ["engine/bootstrap.mjs", name, ...args]);
    const contenders: Contender[] = [
      { name: "floor up", run: () => floor(up) },
      { name: "up", run: () => pulumi(small, up) },
      { name: "floor preview", run: () => floor(["preview"]) },
      { name: "preview", run: () => pulumi(small, ["preview"]) },
      { name: "npm run up", run: () => bootstrap(small, "up") },
      { name: "up, many", run: () => pulumi(big, up) },
      { name: "logs", run: () => bootstrap(small, "logs", "--no-follow", "--lines", "1") },
      { name: "status", run: () => bootstrap(small, "status") },
    ];
    // Once before anything is measured: sources are bundled, and the floor's resource is created.
    await medians(contenders, 1);
    const times = await medians(contenders, rounds);
    const of = (name: string): number => times.get(name) ?? Number.NaN;
    ratio("up that changes nothing, against an empty compiled program", of("up"), of("floor up"));
    ratio("preview that changes nothing, against the same", of("preview"), of("floor preview"));
    over("npm run up over its pulumi up", of("npm run up"), of("up"), 0.5);
    over("no-op up with 100,000 files over one with three", of("up, many"), of("up"), 1);
    over("npm run logs to its first line", of("logs"), 0, 0.7);
    over("npm run status", of("status"), 0, 1);
    await oneChanged(big, many);
    await veryMany(huge, join(folder, "very-many"), of("preview"));
  } finally {
    await Promise.all([small.dispose(), big.dispose(), huge.dispose()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The whole `up` after a change of one of many files, beside one that changes nothing. */
async function oneChanged(project: Project, folder: string): Promise<void> {
  const up = (): Promise<undefined> => pulumi(project, ["up", "--yes", "--skip-preview"]);
  const change = (): void => appendFileSync(join(folder, "test", "50000.inkml"), "changed\n");
  const times = await medians(
    [
      { name: "changed", prepare: change, run: up },
      { name: "same", run: up },
    ],
    2,
  );
  over("up with 1 of 100,000 files changed, over a no-op", times.get("changed"), times.get("same"), 2);
}

/** What so many files cost where nothing changes is the program's look at them: a preview shows it, without an upload. */
async function veryMany(project: Project, folder: string, few: number): Promise<void> {
  await start(project, { dataset: { source: writeMany(folder, mathwriting) } });
  const preview = (): Promise<undefined> => pulumi(project, ["preview"]);
  await preview();
  const times = await medians([{ name: "preview", run: preview }], 2);
  over("no-op preview with 655,620 files over one with three", times.get("preview"), few, 5);
}

function ratio(what: string, own: number, floor: number): void {
  const from = `${own.toFixed(2)} s, ${floor.toFixed(2)} s`;
  report({ part: "Start", what, value: own / floor, unit: "×", goal: { atMost: 1 }, from });
}

/** Seconds over those of something else. */
function over(what: string, own = Number.NaN, other = Number.NaN, atMost: number): void {
  const from = other === 0 ? "median" : `${own.toFixed(2)} s, ${other.toFixed(2)} s`;
  report({ part: "Start", what, value: own - other, unit: "s", goal: { atMost }, from });
}

/** A stack of a tiny workload, and its cloud. */
async function start(project: Project, changes: TinyChanges): Promise<void> {
  useTinyWorkload(project, changes);
  await project.init();
  await TestCloud.start(project);
}

/** A dataset of small files, of which training reads a few. Gives its path. */
function writeMany(folder: string, files: number): string {
  for (const split of ["train", "valid", "test"]) {
    mkdirSync(join(folder, split), { recursive: true });
    writeFileSync(join(folder, split, "0.jsonl"), "[1, 3]\n[2, 6]\n");
  }
  const content = "x".repeat(smallBytes);
  for (let i = 0; i < files; i++) writeFileSync(join(folder, "test", `${i}.inkml`), content + i);
  return folder;
}

/** Makes a project of one resource in a folder of its own, and its stack. Gives how the CLI runs there. */
async function floorOf(
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<(args: readonly string[]) => Promise<undefined>> {
  mkdirSync(folder);
  symlinkSync(resolve(__dirname, "../node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: floor\nruntime: nodejs\n");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "floor", main: "index.js" }));
  const program = 'const { RandomId } = require("@pulumi/random");\nnew RandomId("id", { byteLength: 4 });\n';
  writeFileSync(join(folder, "index.js"), program);
  const own = { ...env, PULUMI_STACK: undefined };
  const floor = (args: readonly string[]) => run(folder, own, "pulumi", [...args, "--non-interactive"]);
  await floor(["stack", "init", "floor"]);
  return (args) => floor([...args, "--stack", "floor"]);
}

function pulumi(project: Project, args: readonly string[]): Promise<undefined> {
  return run(project.folder, project.env, "pulumi", [...args, "--non-interactive"]);
}

/** Runs a program in a folder; throws with its output if it fails. */
async function run(cwd: string, env: NodeJS.ProcessEnv, program: string, args: readonly string[]): Promise<undefined> {
  await promisify(execFile)(program, args, { cwd, env });
  return undefined;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
