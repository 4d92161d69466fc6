/** One shell word that means exactly this text. A NUL cannot be in a shell word and is refused. */
export function shellQuote(text: string): string {
  if (text.includes("\0")) {
    throw new Error("A shell word can't hold a NUL character.");
  }
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Whether the value of a variable adds to the one that it had. */
export function addsToItself(name: string, value: string): boolean {
  return new RegExp(`\\$(?:\\{${name}\\}|${name}(?![A-Za-z0-9_]))`).test(value);
}
