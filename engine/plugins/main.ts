import { plugin as command } from "./command/plugin";
import { servePlugins } from "./protocol/serve";
import { plugin as random } from "./random/plugin";

/** Serves all of them to the engine that started this process. @param name Of the plugin that it asks for. */
export function serve(name: string): Promise<void> {
  return servePlugins([command, random], name, process.argv.slice(2));
}
