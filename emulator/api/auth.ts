import type { ApiKeyRecord } from "../state/model";
import { badApiKey, noApiKey } from "./errors";

/** The key in an `Authorization` header: Bearer, Basic encoded (`key:`), or Basic with the bare key. */
export function keysIn(header: string | undefined): string[] {
  const [, scheme, value] = /^(\S+)\s+(.+)$/.exec(header?.trim() ?? "") ?? [];
  if (!scheme || !value) return [];
  if (scheme.toLowerCase() === "bearer") return [value];
  if (scheme.toLowerCase() !== "basic") return [];
  const decoded = Buffer.from(value, "base64").toString("utf8");
  return [value, decoded.replace(/:$/, "")];
}

/** Finds who calls. @throws ApiError 401, with one of two messages */
export function authenticate(header: string | undefined, known: readonly ApiKeyRecord[]): ApiKeyRecord {
  const given = keysIn(header);
  if (given.length === 0) throw noApiKey();
  const match = known.find((record) => given.includes(record.key));
  if (!match) throw badApiKey();
  return match;
}
