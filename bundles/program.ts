import { setImmediate as nextTurn } from "node:timers/promises";
import { startProviders } from "../components/kit/providers-ahead";
import { projectFolder } from "../local/paths";

/**
 * What the language host runs: the SDK's runner and the program in one file, for each file that Node.js loads takes time.
 * The runner comes first: it is asked by `start`, and calls the exported function once it is ready.
 */
const program = async (): Promise<unknown> => {
  startProviders();
  await nextTurn();
  // The host runs it in the bundle's folder, and paths in a configuration count from the project's.
  process.chdir(projectFolder());
  return (require("../index") as () => unknown)();
};

/** The SDK's runner. */
const start = (): void => {
  // Else it loads a compiler. Some hosts always ask for it.
  delete process.env.PULUMI_NODEJS_TYPESCRIPT;
  require("@pulumi/pulumi/cmd/run");
};

module.exports = Object.assign(program, { start });
