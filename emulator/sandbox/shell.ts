/** Text as one word of a shell script, without the NULs that no script can hold. */
export function quote(text: string): string {
  const held = text.replaceAll("\0", "");
  return /^[\w./:=@%+,-]+$/.test(held) ? held : `'${held.replaceAll("'", "'\\''")}'`;
}

/** Shell lines that write content to a file, whatever bytes it has; their status is that of the writing. */
export function writeFileLines(
  file: string,
  content: Buffer,
  options: { mode?: string; append?: boolean } = {},
): string {
  const target = quote(file);
  return [
    `mkdir -p "$(dirname ${target})" &&`,
    `base64 -d ${options.append ? ">>" : ">"}${target} <<'END_OF_CONTENT' &&`,
    content.toString("base64").replace(/.{76}/g, "$&\n"),
    "END_OF_CONTENT",
    `chmod ${quote(options.mode ?? "0644")} ${target}`,
  ].join("\n");
}
