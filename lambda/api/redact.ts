const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?(?:-----END [^-]*PRIVATE KEY-----|$)/g, "[private key]"],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, "$1 [redacted]"],
  [/\bsecret_[\w.-]+/g, "[redacted]"],
  [/([?&]token=)[^&\s"']+/gi, "$1[redacted]"],
];

/** Takes out of a text that came from elsewhere what must never be shown: the key itself, and what looks like one. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let safe = text;
  for (const secret of secrets) {
    if (secret.length >= 4) safe = safe.replaceAll(secret, "[redacted]");
  }
  for (const [pattern, replacement] of patterns) safe = safe.replace(pattern, replacement);
  return safe;
}

/** One line of at most `length` characters, without control characters. */
export function excerpt(text: string, length = 200): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length)}…` : line;
}
