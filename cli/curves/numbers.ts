/** A number as logs write it: `1e-3`, `1,234.5`, `nan`. Not a part of a version, a time, a date, or of `3/10`. */
export const number =
  "[-+]?(?:(?:[1-9]\\d{0,2}(?:,\\d{3})+(?:\\.\\d+)?|\\d+(?:\\.\\d*)?|\\.\\d+)(?:e[-+]?\\d+)?|nan|inf(?:inity)?)" +
  "(?![\\w]|\\.\\d|:\\d|-\\d|%\\|| ?/ ?\\d| \\* )";

/** Whether a number may have more digits, by what is there behind it of a line that has no end yet. */
export function mayGoOn(rest: string): boolean {
  return rest.length < 3 && /^[\d.,:/%+-]*$/.test(rest);
}

/** What such a text is worth; undefined for none. */
export function numberOf(text: string): number | undefined {
  const word = text.trim().toLowerCase().replaceAll(",", "");
  const special = /^([-+]?)(?:(nan)|inf(?:inity)?)$/.exec(word);
  if (special !== null) {
    const [, sign, isNan] = special;
    return isNan === undefined ? (sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY) : Number.NaN;
  }
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(word) ? Number(word) : undefined;
}
