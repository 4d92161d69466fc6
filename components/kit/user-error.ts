import { RunError } from "@pulumi/pulumi";
import { masked } from "../../local/kept-secrets";

/**
 * An error that is the user's to mend: shown by its message alone. It has no stack frames, not only unshown ones: the
 * SDK formats them all the same, and over a frame like `node_modules/@pulumi/resource.ts` Node.js 22's util.inspect
 * does not come to an end until it has used up the longest string, half a minute later.
 */
export function userError(message: string): RunError {
  const error = new RunError(masked(message));
  error.stack = error.message;
  return error;
}
