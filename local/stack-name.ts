/** The last part of a stack's name, by which its file and the engine know it: `dev` of `organization/lambda-train/dev`. */
export function lastName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}
