import type { Variables } from "../plan/types";

/** One shell word that means exactly this text. A NUL cannot be in a shell word and is refused. */
export function shellQuote(text: string): string {
  if (text.includes("\0")) {
    throw new Error("A shell word can't hold a NUL character.");
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

/**
 * `export` lines for variables of the user: the text as written, but for a variable's own name. `/opt/bin:$PATH` of PATH
 * adds to the value that it has there.
 */
export function variableLines(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      const [first = "", ...more] = value.split(ownName(name));
      if (more.length === 0) return exportLines({ [name]: value });
      const parts = [first, ...more].map((part) => (part === "" ? "" : shellQuote(part)));
      return `export ${name}=${parts.join(`"\${${name}-}"`)}\n`;
    })
    .join("");
}

/** Whether the value of a variable adds to the one that it had. */
export function addsToItself(name: string, value: string): boolean {
  return ownName(name).test(value);
}

function ownName(name: string): RegExp {
  return new RegExp(`\\$(?:\\{${name}\\}|${name}(?![A-Za-z0-9_]))`);
}
