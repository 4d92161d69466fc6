import { servePlugin } from "../protocol/serve";
import { plugin } from "./plugin";

servePlugin(plugin, process.argv.slice(2));
