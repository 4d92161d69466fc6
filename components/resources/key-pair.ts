import * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link KeyPair}. */
export interface KeyPairArgs {
  /** Comment of the public key. Default `lambda-train`. A change keeps the keys. */
  readonly comment?: pulumi.Input<string | undefined>;
  /** Any values; a change makes new keys. */
  readonly keepers?: pulumi.Input<Record<string, pulumi.Input<string>> | undefined>;
}

/** An ed25519 key pair, made on this machine and kept in the state, the private half encrypted. */
export class KeyPair extends RemoteResource {
  /** `ssh-ed25519 AAAA… comment`. */
  declare readonly publicKey: pulumi.Output<string>;
  /** OpenSSH's PEM text. Secret. */
  declare readonly privateKey: pulumi.Output<string>;
  /** `SHA256:…` of the public key. */
  declare readonly fingerprint: pulumi.Output<string>;

  constructor(name: string, args: KeyPairArgs = {}, options?: pulumi.CustomResourceOptions) {
    const outputs = { publicKey: undefined, privateKey: undefined, fingerprint: undefined };
    const secret = { additionalSecretOutputs: ["privateKey"] };
    const props = { ...outputs, ...args };
    super("components/resources/key-pair-handler", "KeyPair", name, props, pulumi.mergeOptions(options, secret));
  }
}
