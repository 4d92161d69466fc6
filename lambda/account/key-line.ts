/** Type and key of an OpenSSH public key, without its comment. */
export function bareKey(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(" ");
}

const mark = "lambda-train state=";

/** The comment of an SSH key in the account: where the state is kept that knows it. */
export function keyComment(stateOrigin: string): string {
  return `${mark}${encodeURI(stateOrigin)}`;
}

/** Where the state is kept that knows a key, by its comment; undefined where that does not tell. */
export function stateOriginOfKey(line: string): string | undefined {
  const at = line.indexOf(mark);
  if (at === -1) return undefined;
  try {
    return decodeURI(line.slice(at + mark.length).trim());
  } catch {
    return undefined;
  }
}
