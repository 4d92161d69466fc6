import { type ForeignCase, nameOf } from "./case";

/** The cases of a run: by `--case` those whose name holds a text. A run of all tests, which gives none, takes a sample. */
export function chosen(all: readonly ForeignCase[], env: NodeJS.ProcessEnv = process.env): readonly ForeignCase[] {
  const { FOREIGN: which, FOREIGN_CASE: part } = env;
  if (which !== "all") return all.filter(({ inDefault }) => inDefault === true);
  const found = all.filter((one) => part === undefined || nameOf(one).includes(part));
  if (found.length > 0) return found;
  throw new Error(`No case fits --case ${part}. A case is named "name · what it is like"; capitals count.`);
}
