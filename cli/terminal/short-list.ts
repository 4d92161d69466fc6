/** Names that a message of a few lines has room for. */
const mostNamed = 12;

/** Names as a message lists them; of a big fleet the first ones, and how many there are besides. */
export function shortList(names: readonly string[], separator: string): string {
  const more = names.length - mostNamed;
  if (more <= 1) return names.join(separator);
  return `${names.slice(0, mostNamed).join(separator)}${separator}and ${more} more (\`npm run status\` lists them)`;
}
