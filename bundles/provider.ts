import { provider as providerOf } from "../components/dynamic/provider";
import { projectFolder } from "../local/paths";
import { keepConnections } from "../remote/ssh/kept";

/** As the texts in the states call it. */
export const provider = (module: string, urn?: string): ReturnType<typeof providerOf> =>
  providerOf(module, urn, (name) => require(`../components/resources/${name}.ts`));

/** The SDK's process for dynamic resources. */
export function start(): void {
  // The engine starts it in the program's folder, and paths in a state count from the project's.
  process.chdir(projectFolder());
  // One resource follows another on the same instance. The engine ends this process.
  keepConnections();
  require("@pulumi/pulumi/cmd/dynamic-provider");
  // It has most of what the others need, too. The engine has greeted this process by then, and starts another one.
  setTimeout(() => require("../components/resources/claim-handler"), 50);
}
