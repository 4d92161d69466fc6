const known = new Set<string>();
/** The longest first: a secret may begin as another one does. */
let longestFirst: readonly string[] = [];

/** A line of a longer value, as of a key in PEM, is masked by itself. */
const longLine = 16;

/** From now on this process masks a value in all that it prints. */
export function keepSecret(value: string): void {
  for (const text of [value, ...value.split(/\r?\n/).filter((line) => line.trim().length >= longLine)]) {
    known.add(text);
    known.add(JSON.stringify(text).slice(1, -1));
  }
  longestFirst = [...known].sort((a, b) => b.length - a.length);
}

/** A text without the secrets that this process knows: as many asterisks instead, so that places in it stay. */
export function masked(text: string): string {
  let safe = text;
  for (const secret of longestFirst)
    if (safe.includes(secret)) safe = safe.replaceAll(secret, "*".repeat(secret.length));
  return safe;
}
