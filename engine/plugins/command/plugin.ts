import type { Plugin } from "../protocol/resource";
import { remoteCommand } from "./remoteCommand";

/** Stands in for the published `command` plugin of this version. */
export const plugin: Plugin = {
  name: "command",
  version: "1.2.1",
  types: { "command:remote:Command": remoteCommand },
};
