import { isAbsolute, relative, sep } from "node:path";
import { projectFolder } from "../../local/paths";

/**
 * A local path as the state should hold it: relative to the project where it lies inside, so that another checkout of
 * the same project sees no change.
 */
export function portablePath(path: string): string {
  const inside = relative(projectFolder(), path);
  return inside.startsWith("..") || isAbsolute(inside) ? path : inside.split(sep).join("/") || ".";
}
