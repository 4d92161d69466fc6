import type { ApiKeyRecord } from "../state/model";
import { badApiKey, noApiKey } from "./errors";

/** The key in an `Authorization` header: Bearer, Basic encoded (`key:`), or Basic with the bare key. */
function keysIn(header: string | undefined): string[] {
  const [, scheme, value] = /^(\S+)\s+(.+)$/.exec(header?.trim() ?? "") ?? [];
  if (!scheme || !value) return [];
  if (scheme.toLowerCase() === "bearer") return [value];
  if (scheme.toLowerCase() !== "basic") return [];
  const decoded = Buffer.from(value, "base64").toString("utf8");
  return [value, decoded.replace(/:$/, "")];
}

/** Who calls, whatever the form of the header; undefined for a key that nobody has, or none. */
export function callerOf(header: string | undefined, known: readonly ApiKeyRecord[]): ApiKeyRecord | undefined {
  const given = keysIn(header);
  return known.find((record) => given.includes(record.key));
}

/** Why a header names no caller: one of the two messages of 401. */
export const unknownCaller = (header: string | undefined) => (keysIn(header).length === 0 ? noApiKey() : badApiKey());
