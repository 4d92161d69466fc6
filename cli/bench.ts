import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Argument } from "commander";
import { type Figure, figuresVariable, figureText, isMet } from "../bench/figures";
import { publish } from "../bench/page";
import { projectFolder } from "../local/paths";
import { exitCodes, plainCommand, run } from "./terminal/command";

const parts = ["no-op", "transfer", "by-hand", "down", "timeline", "launches"] as const;

const command = plainCommand(
  "bench",
  "Measures the product beside what it replaces, in turn, and prints each ratio with its goal. It judges nothing: a goal " +
    "that is missed is no error.",
)
  .addArgument(new Argument("[parts...]", "which parts (default: all, in about 20 minutes)").choices(parts))
  .option("--publish", "also write the figures to docs/performance/ and its page");

run(async () => {
  command.parse();
  const chosen = command.args.length > 0 ? command.args : parts;
  const path = join(projectFolder(), ".local", "bench", "figures.jsonl");
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const began = Date.now();
  let failed = false;
  for (const name of chosen) {
    console.log(`\n${name}`);
    const program = [
      "-r",
      join(projectFolder(), "engine", "typescript.cjs"),
      join(projectFolder(), "bench", `${name}.ts`),
    ];
    const env = { ...process.env, [figuresVariable]: path };
    const { status } = spawnSync(process.execPath, program, { cwd: projectFolder(), stdio: "inherit", env });
    failed ||= status !== 0;
  }
  const figures = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").map(parsed) : [];
  const met = figures.filter(isMet).length;
  console.log(`\n${figures.map(figureText).join("\n")}`);
  console.log(`${met} of ${figures.length} goals met, ${((Date.now() - began) / 60_000).toFixed(1)} minutes`);
  if (command.opts<{ publish?: boolean }>().publish === true && !failed) publish(figures);
  return failed ? exitCodes.failed : exitCodes.ok;
});

function parsed(line: string): Figure {
  return JSON.parse(line) as Figure;
}
