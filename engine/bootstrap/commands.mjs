import { readdirSync } from "node:fs";
import { join } from "node:path";
import { configFileOf, isEmulated, stackOf } from "./environment.mjs";
import { isInstalled, root } from "./paths.mjs";
import { suites } from "./suites.mjs";
import { benchPackages, testPackages } from "./system.mjs";

const tests = {
  test: "runs the tests: npm test -- [files or options of vitest]",
  ...Object.fromEntries(Object.entries(suites).map(([name, { what }]) => [name, what])),
};

/** Commands that the bootstrap itself answers. The package has no tests. */
export const builtin = {
  ...(isInstalled ? {} : tests),
  setup: `prepares everything that \`up\` ${isInstalled ? "needs" : "and the tests need"}, and exits`,
  parts: "prints, as JSON, what the project runs on here (see doctor); prepares nothing",
  env: "prints the commands' environment, for `eval`; --json prints it as JSON",
};

/** How a command is called: what runs before npm can, or prints for a program, is no script of npm's. */
export function callOf(name) {
  if (isInstalled) return `npx lambda-train ${name}`;
  return ["setup", "parts", "env"].includes(name) ? `node engine/bootstrap.mjs ${name}` : `npm run ${name}`;
}

/** Names of the operator commands: the files of cli/, or of what is built from it. */
export function operatorCommands() {
  const [folder, end] = isInstalled ? ["dist/cli", ".js"] : ["cli", ".ts"];
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(end) && name !== "bundle.js")
    .map((name) => name.slice(0, -end.length));
}

/** The words that are a command's own: what follows may be a command for the instance, with options of its own. */
export function ownWords(command, args) {
  if (!["dev", "exec", "ssh"].includes(command)) return args;
  const own = ["--machine", "--run", "--rank", "-d", "--detach", "--gpus"];
  const valued = ["-s", "--stack", "--config-file", ...own];
  const first = args.findIndex((word, i) => !word.startsWith("-") && !valued.includes(args[i - 1]));
  return first < 0 ? args : args.slice(0, first);
}

/**
 * What a command needs beside Node.js, npm packages and compiled sources: the engine, and what the operating system
 * gives the emulated cloud. Previews reach no cloud, so they need nothing of it.
 */
export function needsOf(command, args) {
  if (command === "pulumi") return { pulumi: true, cloud: false };
  if (command === "doctor" || args.includes("--help") || args.includes("-h")) return { pulumi: false, cloud: false };
  if (["audit", "init", "reference", "experiments", "new-experiment"].includes(command))
    return { pulumi: false, cloud: false };
  if (command === "cloud") return { pulumi: false, cloud: true };
  if (command === "setup" && isInstalled) return { pulumi: true, cloud: false };
  if (["test", "setup", "screenshots"].includes(command) || command in suites)
    return { pulumi: true, cloud: true, packages: testPackages };
  if (command === "bench") return { pulumi: true, cloud: true, packages: benchPackages };
  const rents = (command === "up" && !args.includes("--preview-only")) || command === "down";
  return { pulumi: true, cloud: rents && !isInstalled && isEmulated(stackOf(args), configFileOf(args)) };
}
