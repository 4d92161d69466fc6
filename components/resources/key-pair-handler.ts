import { createHash } from "node:crypto";
import { newEd25519 } from "../../lambda/account/ed25519";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler } from "../dynamic/handler";

interface KeyPairInputs {
  readonly comment?: string;
  readonly keepers?: Readonly<Record<string, string>>;
}

interface KeyPairOutputs extends KeyPairInputs {
  readonly publicKey: string;
  readonly privateKey: string;
  readonly fingerprint: string;
}

/** The life of a key pair. */
export const handler: DynamicHandler<KeyPairInputs, KeyPairOutputs> = {
  // Keys that are in use must not change for the sake of a comment.
  diff: (_id, olds, news) =>
    diffByName(olds, news, { replace: ["keepers"], update: ["comment"], deleteBeforeReplace: false }),
  create: async (inputs) => {
    const { publicKey, privateKey } = newEd25519(inputs.comment);
    const fingerprint = fingerprintOf(publicKey);
    return { id: fingerprint, outs: { ...inputs, publicKey, privateKey, fingerprint } };
  },
  update: async (_id, olds, news) => ({
    ...news,
    publicKey: withComment(olds.publicKey, news.comment ?? "lambda-train"),
    privateKey: olds.privateKey,
    fingerprint: olds.fingerprint,
  }),
};

/** `SHA256:…` as `ssh-keygen -l` shows it. */
function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function withComment(publicKey: string, comment: string): string {
  return [...publicKey.split(" ").slice(0, 2), comment].join(" ");
}
