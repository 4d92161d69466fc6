import type { Variables } from "../plan/types";

/** One shell word that means exactly this text. A NUL cannot be in a shell word and is refused. */
export function shellQuote(text: string): string {
  if (text.includes("\0")) {
    throw new Error("A shell word cannot hold a NUL character.");
  }
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** One `export NAME=value` line for each variable. Throws on a name that a shell would not take. */
export function exportLines(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new Error(`"${name}" is not a name of an environment variable: use letters, digits and _ only.`);
      }
      return `export ${name}=${shellQuote(value)}\n`;
    })
    .join("");
}
