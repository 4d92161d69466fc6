import { stringify } from "yaml";

/** An SSH host key, both halves. The private one is secret. */
export interface HostKey {
  /** OpenSSH's PEM text. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
}

/** Lambda's limit for user data. */
const longestBytes = 1_000_000;

/**
 * The cloud-config that makes an instance show the host key that the stack made, and no other, so that the first
 * connection can already be checked. `extra`: further cloud-config modules. The text is secret, and the same for the
 * same input.
 */
export function renderUserData(hostKey: HostKey, extra: Readonly<Record<string, unknown>> = {}): string {
  const taken = ["ssh_keys", "ssh_deletekeys"].filter((key) => key in extra);
  if (taken.length > 0) throw new Error(`user data: ${taken.join(", ")} belongs to the stack and can't be set.`);
  const config = {
    ...extra,
    // Keys that the image brings are deleted, and with keys given none are generated beside them.
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: `${hostKey.privateKey.trim()}\n`, ed25519_public: hostKey.publicKey.trim() },
  };
  const text = `#cloud-config\n${stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > longestBytes) throw new Error(`user data: ${bytes} bytes, Lambda takes at most ${longestBytes}.`);
  return text;
}
