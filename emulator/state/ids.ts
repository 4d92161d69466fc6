import { randomBytes, randomUUID } from "node:crypto";
import type { ApiKeyRecord } from "./model";

/** A new id as Lambda writes them: a UUID without dashes. */
export const newId = (): string => randomUUID().replaceAll("-", "");

/** A new API key of the form `secret_<label>_<hex>.<token>`. */
export function newApiKey(name: string): ApiKeyRecord {
  const label = name.toLowerCase().replace(/[^a-z0-9]+/g, "-") || "key";
  const key = `secret_${label}_${randomBytes(16).toString("hex")}.${randomBytes(24).toString("base64url")}`;
  return { id: newId(), name, key };
}
