/** Text as one word of a POSIX shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Shell lines that write content to a file, whatever bytes it has. Fails like the commands in it do. */
export function writeFileLines(
  file: string,
  content: Buffer,
  options: { mode?: string; append?: boolean } = {},
): string {
  const target = quote(file);
  const encoded = content.toString("base64").replace(/.{76}/g, "$&\n");
  return [
    `mkdir -p "$(dirname ${target})" &&`,
    `base64 -d ${options.append ? ">>" : ">"}${target} <<'END_OF_CONTENT' &&`,
    encoded,
    "END_OF_CONTENT",
    `chmod ${quote(options.mode ?? "0644")} ${target}`,
  ].join("\n");
}
