import type { ScalarTree } from "./tree";

/** Which language a scalar is written in, and whether inside `[]` or `{}`. */
export type Place = "block" | "flow" | "json";

const coreNumber =
  /^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$/;
const coreSpecial = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
/** A float that PyYAML takes for one: it wants a dot, digits before it after a sign, and a sign in the exponent. */
const pythonFloat = /^(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$/;

/** Whether a plain scalar of this text may be something else than text, to a reader of YAML 1.1 or 1.2. */
export function looksTyped(text: string): boolean {
  return (
    /^(?:~|null|y|n|yes|no|true|false|on|off|<<|=|)$/i.test(text) ||
    /^[-+]?\.?[0-9]/.test(text) ||
    /^[-+]?\.(?:inf|nan)$/i.test(text)
  );
}

/** How a scalar is written: plain as it is, text so that every reader takes it for text. */
export function scalarText(scalar: ScalarTree, place: Place): string {
  const { text, plain, tag } = scalar;
  if (place === "json") return plain ? text : JSON.stringify(text);
  const tagged = tag === undefined ? "" : `${tag} `;
  if (!plain) return `${tagged}${tag === undefined && isSafeWord(text) ? text : quoted(text)}`;
  if (place === "flow" && /[,[\]{}]/.test(text)) return `${tagged}${quoted(text)}`;
  return text === "" ? (tag ?? "null") : `${tagged}${text}`;
}

/** A scalar of YAML 1.2 as what it is to the readers of YAML 1.1 too: they take `1e-5`, `-.5` and `0o17` for text. */
export function portable(scalar: ScalarTree): ScalarTree {
  const { text, plain, tag } = scalar;
  return plain && tag === undefined ? { ...scalar, text: portableNumber(text) } : scalar;
}

function portableNumber(text: string): string {
  if (/^0o[0-7]+$/.test(text)) return BigInt(text).toString();
  if (!coreNumber.test(text) || /^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+)$/.test(text) || pythonFloat.test(text)) return text;
  // A commit such as 61e9540 is no number that anybody means.
  if (!Number.isFinite(Number(text))) return text;
  const [, sign = "", whole = "", fraction = "", exponent = ""] =
    /^([-+]?)([0-9]*)(\.[0-9]*)?(?:[eE]([-+]?[0-9]+))?$/.exec(text) ?? [];
  const power = exponent === "" ? "" : `e${/^[-+]/.test(exponent) ? "" : "+"}${exponent}`;
  return `${sign}${whole || "0"}${fraction.length > 1 ? fraction : ".0"}${power}`;
}

/** A scalar of YAML 1.2 as one of JSON; numbers keep their text where JSON has it. */
export function jsonScalar({ text, plain, tag }: ScalarTree): ScalarTree {
  const value = plain && tag !== "!!str" ? jsonValue(text) : undefined;
  return { kind: "scalar", text: value ?? text, plain: value !== undefined };
}

/** The text of a number, true, false or null; undefined for all that is text. */
function jsonValue(text: string): string | undefined {
  if (/^(?:~|null|Null|NULL|)$/.test(text)) return "null";
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(text)) return text.toLowerCase();
  if (coreSpecial.test(text)) return /nan/i.test(text) ? "NaN" : text.startsWith("-") ? "-Infinity" : "Infinity";
  if (jsonNumber.test(text)) return Number.isFinite(Number(text)) ? text : undefined;
  // Digits after a zero are an octal number to some and text to others: they stay what is written.
  if (!coreNumber.test(text) || /^[-+]?0[0-9]/.test(text)) return undefined;
  if (/^(?:\+[0-9]+|0[ox].*)$/.test(text)) return BigInt(text.replace("+", "")).toString();
  return text
    .replace(/^\+/, "")
    .replace(/^-?\./, (start) => start.replace(".", "0."))
    .replace(/\.(?=[eE]|$)/, ".0");
}

/** Text that needs no quotes anywhere, whoever reads it. */
function isSafeWord(text: string): boolean {
  return /^[A-Za-z_/][\w/.-]*(?: [\w/.-]+)*$/.test(text) && !looksTyped(text) && !text.includes(" -");
}

/** Text in double quotes, on one line, as JSON and every YAML read it. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
