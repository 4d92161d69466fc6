import Module from "node:module";
import { join } from "node:path";
import { provider as providerOf } from "../components/dynamic/provider";
import { programInClone } from "../components/dynamic/resource";
import { packageFolder, projectFolder } from "../local/paths";
import { keepConnections } from "../remote/ssh/kept";

/** As the texts in the states call it. */
export const provider = (module: string, urn?: string): ReturnType<typeof providerOf> =>
  providerOf(module, urn, (name) => require(`../components/resources/${name}.ts`));

/** Makes the process ready in which the engine calls providers. */
export function begin(): void {
  // The engine starts it in the program's folder, and paths in a state count from the project's.
  process.chdir(projectFolder());
  // One resource follows another on the same instance. The engine ends this process.
  keepConnections();
}

/** The SDK's process for dynamic resources. */
export function start(): void {
  begin();
  if (projectFolder() !== packageFolder()) findInPackage();
  require("@pulumi/pulumi/cmd/dynamic-provider");
  // It has most of what the others need, too. The engine has greeted this process by then, and starts another one.
  setTimeout(() => require("../components/resources/claim-handler"), 50);
}

/**
 * Finds this program where the texts in the states name it as a clone has it. They are the same for a package, so that a
 * stack may move from one to the other, and a package to another folder.
 */
function findInPackage(): void {
  const loader = Module as unknown as { _resolveFilename(request: string, ...rest: unknown[]): string };
  const resolve = loader._resolveFilename;
  loader._resolveFilename = (request, ...rest) =>
    resolve(request === programInClone ? join(packageFolder(), programInClone) : request, ...rest);
}
