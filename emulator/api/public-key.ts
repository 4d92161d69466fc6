import { createPublicKey, type KeyObject } from "node:crypto";
import { utils } from "ssh2";

/**
 * A public key as one OpenSSH line. Taken are what Lambda takes: OpenSSH, RFC 4716, PKCS8 and PEM.
 *
 * @throws Error where the text is no public key
 */
export function toOpenSsh(text: string): string {
  const trimmed = text.trim();
  if (/^-----BEGIN (RSA )?PUBLIC KEY-----/.test(trimmed)) return fromKeyObject(createPublicKey(trimmed));
  if (/private key/i.test(trimmed)) throw new Error("This is a private key.");
  const parsed = utils.parseKey(fromRfc4716(trimmed) ?? trimmed);
  if (parsed instanceof Error) throw parsed;
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!key) throw new Error("No key in the text.");
  return `${key.type} ${key.getPublicSSH().toString("base64")}${key.comment ? ` ${key.comment}` : ""}`;
}

/** The OpenSSH line of a key in the form of RFC 4716, or undefined for any other text. */
function fromRfc4716(text: string): string | undefined {
  const body = /^---- BEGIN SSH2 PUBLIC KEY ----\r?\n([\s\S]*)\r?\n---- END SSH2 PUBLIC KEY ----$/.exec(text)?.[1];
  if (body === undefined) return undefined;
  // Headers are `Name: value`; a line that ends in a backslash continues on the next.
  const lines = body.replace(/\\\r?\n/g, "").split(/\r?\n/);
  const blob = Buffer.from(lines.filter((one) => !one.includes(":")).join(""), "base64");
  if (blob.length < 4) return undefined;
  return `${blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1")} ${blob.toString("base64")}`;
}

/** The OpenSSH line of a key of Node's crypto. */
export function fromKeyObject(key: KeyObject): string {
  const jwk = key.export({ format: "jwk" });
  const bytes = (value: string | undefined) => Buffer.from(value ?? "", "base64url");
  if (jwk.kty === "RSA") return line("ssh-rsa", [unsigned(bytes(jwk.e)), unsigned(bytes(jwk.n))]);
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return line("ssh-ed25519", [bytes(jwk.x)]);
  if (jwk.kty === "EC" && jwk.crv && jwk.crv in curves) {
    const curve = curves[jwk.crv] as string;
    const point = Buffer.concat([Buffer.from([4]), bytes(jwk.x), bytes(jwk.y)]);
    return line(`ecdsa-sha2-${curve}`, [Buffer.from(curve), point]);
  }
  throw new Error(`Keys of type ${jwk.crv ?? jwk.kty} cannot be used for SSH.`);
}

const curves: Record<string, string> = { "P-256": "nistp256", "P-384": "nistp384", "P-521": "nistp521" };

function line(type: string, fields: readonly Buffer[]): string {
  const withLength = (field: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return Buffer.concat([length, field]);
  };
  return `${type} ${Buffer.concat([Buffer.from(type), ...fields].map(withLength)).toString("base64")}`;
}

/** A number in SSH's form: a leading zero keeps it positive. */
const unsigned = (bytes: Buffer): Buffer => ((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
