import { randomBytes } from "node:crypto";
import type { ResourceType } from "../protocol/resource";

/**
 * `random.RandomId`: random bytes in four spellings, each with the prefix in front. The id is the URL-safe base64
 * form without the prefix. Every change replaces.
 */
export const randomId: ResourceType = {
  inputs: {
    byteLength: { kind: "integer", minimum: 1, required: true, replace: true },
    keepers: { kind: "stringMap", replace: true },
    prefix: { kind: "string", replace: true },
  },
  outputs: ["b64Std", "b64Url", "dec", "hex"],
  async create(inputs) {
    const bytes = randomBytes(inputs.byteLength as number);
    const prefix = (inputs.prefix as string | undefined) ?? "";
    const id = bytes.toString("base64url");
    const outputs = {
      b64Std: prefix + bytes.toString("base64"),
      b64Url: prefix + id,
      dec: prefix + BigInt(`0x${bytes.toString("hex")}`).toString(),
      hex: prefix + bytes.toString("hex"),
    };
    return { id, outputs };
  },
};
