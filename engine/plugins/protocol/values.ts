import { isDeepStrictEqual } from "node:util";

/** A property map as it travels between engine and plugin: JSON with marked secrets, assets and unknowns. */
export type Properties = { [name: string]: unknown };

// The marks are part of the protocol: sdk/go/common/resource/sig/sig.go and plugin/rpc.go of pulumi/pulumi.
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Stands for a value that is not known yet (previews only). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Tells whether the value is a marked secret (nested secrets do not count). */
export function isSecret(value: unknown): boolean {
  return isObject(value) && value[SIGNATURE] === SECRET;
}

/** Marks a value as secret; one that is marked already stays as it is. */
export function secret(value: unknown): unknown {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** The value with every secret mark removed, at any depth. */
export function plain(value: unknown): unknown {
  if (isSecret(value)) return plain((value as Properties).value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** Tells whether the value, or anything within it, is marked secret. */
export function hasSecret(value: unknown): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(hasSecret);
  return isObject(value) && Object.values(value).some(hasSecret);
}

/**
 * Equality of two property values: same content and same secrecy as a whole. Where within a secret the marks sit
 * does not matter: the engine moves them when it stores state.
 */
export function sameValue(left: unknown, right: unknown): boolean {
  return hasSecret(left) === hasSecret(right) && isDeepStrictEqual(plain(left), plain(right));
}

/** Tells a plain object from arrays, null and primitives. */
export function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
