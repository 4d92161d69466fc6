#!/usr/bin/env node
// Makes ready what a command needs, then runs the command. Plain JavaScript without dependencies, for Node.js 18 and
// later: it runs before anything is installed. What is right already costs milliseconds and no network.
import { delimiter, join } from "node:path";
import { placeDynamicProvider } from "./bootstrap/build.mjs";
import { builtin, callOf, needsOf, operatorCommands, ownWords } from "./bootstrap/commands.mjs";
import { readyDist } from "./bootstrap/compile.mjs";
import { readyDependencies } from "./bootstrap/dependencies.mjs";
import { backendOf, configFileOf, engineEnvironment, stackFile, stackOf } from "./bootstrap/environment.mjs";
import { Failure, say } from "./bootstrap/failure.mjs";
import { readyNode } from "./bootstrap/node.mjs";
import { parts } from "./bootstrap/parts.mjs";
import { hasProject, isInstalled, project, root } from "./bootstrap/paths.mjs";
import { removeDeadPipes } from "./bootstrap/pipes.mjs";
import { installedPlugin, readyPlugins, wantedPlugins } from "./bootstrap/plugins.mjs";
import { readyPulumi } from "./bootstrap/pulumi.mjs";
import { attached } from "./bootstrap/run.mjs";
import { removeSalt, stackFileText } from "./bootstrap/salt.mjs";
import { suiteCall, suites } from "./bootstrap/suites.mjs";
import { readySystem } from "./bootstrap/system.mjs";

const [command, ...args] = process.argv.slice(2);

/** Does the steps in the order in which each needs the one before. Returns Node.js and the command's environment. */
async function prepare(needs, stack) {
  const node = await readyNode();
  const nodeEnv = { ...process.env, PATH: [node.bin, process.env.PATH || "/usr/bin:/bin"].join(delimiter) };
  if (!isInstalled) {
    await readyDependencies(node, nodeEnv);
    await readyDist(node, nodeEnv);
  }
  if (needs.cloud) await readySystem(needs.packages);
  const pulumi = await readyPulumi({ prepare: needs.pulumi });
  const backend = backendOf(pulumi, stack);
  if (pulumi && pulumi.source !== "path") placeDynamicProvider();
  if (needs.pulumi) removeDeadPipes();
  if (pulumi && needs.pulumi) await readyPlugins({ pulumi, ...backend });
  const compat = wantedPlugins().some((plugin) => installedPlugin(backend.home, plugin) === "compat");
  return { node, env: engineEnvironment({ node, pulumi, backend, compat }) };
}

function printEnvironment(env) {
  const changed = Object.entries(env).filter(([name, value]) => process.env[name] !== value);
  if (args.includes("--json")) return console.log(JSON.stringify(Object.fromEntries(changed), undefined, 2));
  for (const [name, value] of changed) console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
}

/** What Node.js runs for the command, and variables beside the engine's. */
function programOf() {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  if (command in suites) {
    const suite = suiteCall(command, args);
    return { program: [vitest, ...suite.args], extra: suite.env };
  }
  if (command === "test") return { program: [vitest, "run", ...args], extra: {} };
  return { program: [join(root, "dist", "cli", `${command}.js`), ...args], extra: {} };
}

async function main() {
  const known = [...operatorCommands(), ...Object.keys(builtin)].sort();
  if (!command || !known.includes(command)) {
    const isUnknown = command && !["help", "--help", "-h"].includes(command);
    const names = known.map((name) => `  ${callOf(name)} `.padEnd(36) + (builtin[name] ?? "")).join("\n");
    say(`${isUnknown ? `Unknown command ${command}. ` : ""}Commands, each with --help:\n${names}`);
    return isUnknown ? 2 : 0;
  }
  // Else vitest would answer for it, which knows nothing of a suite's options.
  const isHelp = args.some((word) => word === "--help" || word === "-h");
  if (command in builtin && isHelp) {
    console.log(`${callOf(command)}: ${builtin[command]}`);
    return 0;
  }
  if (command === "parts") {
    console.log(JSON.stringify(await parts(), undefined, 2));
    return 0;
  }
  // An interrupted preparation ends through `exit`, so that locks and temporary files go.
  const interrupted = () => process.exit(130);
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  const isOfProject = !["init", "setup", "env", "doctor"].includes(command) && !isHelp;
  if (!hasProject && isOfProject) {
    say(`There is no Pulumi.yaml in ${process.cwd()} or above. ${callOf("init")} makes a project of the repository.`);
    return 2;
  }
  const { program, extra } = programOf();
  const own = ownWords(command, args);
  const stack = stackOf(own);
  const { node, env } = await prepare(needsOf(command, own), stack);
  if (command === "setup") return 0;
  if (command === "env") {
    printEnvironment(env);
    return 0;
  }
  process.removeListener("SIGINT", interrupted).removeListener("SIGTERM", interrupted);
  const file = stackFile(stack, configFileOf(own));
  const before = stackFileText(file);
  const code = await attached(node.path, program, {
    cwd: command === "init" ? process.cwd() : project,
    // What the command starts need not look again whether the bundles are those of the sources.
    env: { ...env, LAMBDA_TRAIN_BUILT: "1", ...extra },
  });
  removeSalt(file, env, before);
  return code;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    say(error instanceof Failure ? error.message : error.stack);
    process.exitCode = 1;
  },
);
