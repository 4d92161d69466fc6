import { utils } from "ssh2";

/** Both halves of a key pair. The private one is secret. */
export interface Ed25519Pair {
  /** `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
  /** OpenSSH's PEM text. */
  readonly privateKey: string;
}

/**
 * Makes an ed25519 key pair. ssh2 1.17 writes a malformed private key when the public one begins with a zero byte,
 * about once in 256 pairs: such a pair is thrown away.
 */
export function newEd25519(comment = "lambda-train"): Ed25519Pair {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519", { comment });
    if (!(utils.parseKey(pair.private) instanceof Error)) {
      return { publicKey: pair.public.trim(), privateKey: pair.private };
    }
  }
}

/** The public half of a private key, without a comment. */
export function publicKeyOf(privateKey: string): string {
  const key = utils.parseKey(privateKey);
  if (key instanceof Error) throw new Error("The private key in the state can't be read.", { cause: key });
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}
