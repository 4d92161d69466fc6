import * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link Boot}. */
export interface BootArgs {
  /** Id of the instance. A change replaces. */
  readonly instanceId: pulumi.Input<string>;
  /** The host key that the instance must show: an OpenSSH line. A change replaces. */
  readonly hostKey: pulumi.Input<string>;
  /** Private key of the login. Secret. A change has no effect. */
  readonly privateKey: pulumi.Input<string>;
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** Default `ubuntu`. A change logs in again. */
  readonly user?: pulumi.Input<string | undefined>;
  /** TCP port of sshd. Default: the endpoint's, 22 for Lambda. A change logs in again. */
  readonly sshPort?: pulumi.Input<number | undefined>;
  /** Name of the agent that is to be on the instance. A change puts it there. */
  readonly agent?: pulumi.Input<string | undefined>;
  /** Seconds to wait. Default by size: 900, 1500 from 2 GPUs on, 2400 from 8 on. A change is only recorded. */
  readonly bootTimeoutSeconds?: pulumi.Input<number | undefined>;
}

/**
 * The booted instance: active by the API, and reached over SSH with the host key that the stack gave to it. Where that
 * fails the instance stays in the state, and the next `up` waits on.
 */
export class Boot extends RemoteResource {
  declare readonly instanceId: pulumi.Output<string>;
  /** Public IPv4 address. */
  declare readonly ip: pulumi.Output<string>;
  /** Address among instances of the region; may be empty. */
  declare readonly privateIp: pulumi.Output<string>;
  declare readonly hostname: pulumi.Output<string>;
  /** `active`, or what the last refresh saw. */
  declare readonly status: pulumi.Output<string>;
  declare readonly sshPort: pulumi.Output<number>;
  declare readonly user: pulumi.Output<string>;

  constructor(name: string, args: BootArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = { ip: undefined, privateIp: undefined, hostname: undefined, status: undefined };
    const inputs = { user: undefined, sshPort: undefined, ...args, privateKey: pulumi.secret(args.privateKey) };
    super("components/resources/boot-handler", "Boot", name, { ...outputs, ...inputs }, options);
  }
}
