import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link SelfTermination}. */
export interface SelfTerminationArgs extends OnInstanceArgs {
  /** API endpoint, which the instance calls. A change replaces the resource. */
  readonly endpoint: pulumi.Input<string>;
  /** Seconds after the last work of the stack on the instance. A change reaches it. */
  readonly afterSeconds: pulumi.Input<number>;
  /** End even where results are nowhere else. */
  readonly loseResults: pulumi.Input<boolean>;
  /** Name of an attached file system that results may be kept on. */
  readonly fileSystem?: pulumi.Input<string | undefined>;
  /** Name of the agent. A change arms the instance anew. */
  readonly agent?: pulumi.Input<string | undefined>;
}

/**
 * The instance's own watch over its end, with an API key in a file there. The key is no input: it goes from the
 * environment or the configuration straight to the instance.
 */
export class SelfTermination extends RemoteResource {
  constructor(name: string, args: SelfTerminationArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "components/resources/self-termination-handler",
      "SelfTermination",
      name,
      { keyMark: undefined, ...args },
      options,
    );
  }
}
