import type { Plugin } from "../protocol/resource";
import { randomId } from "./randomId";

/** Stands in for the published `random` plugin of this version. */
export const plugin: Plugin = {
  name: "random",
  version: "4.21.2",
  types: { "random:index/randomId:RandomId": randomId },
};
