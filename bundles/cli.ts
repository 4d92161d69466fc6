/** Runs the operator command of that name. The others are in the same file, and are not loaded. */
export const command = (name: string): unknown => require(`../cli/${name}.ts`);
