import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link Claim}. */
export interface ClaimArgs {
  /**
   * Name that nobody else has, like `lambda-train-dev-1a2b3c4d`: 12 to 48 characters that end in 8 random hexadecimal
   * digits. Everything that the stack makes carries exactly this name. A change makes a new claim; the old one is
   * swept after everything else was renamed or replaced.
   */
  readonly name: pulumi.Input<string>;
  /** API base URL, or `emulated`. Default: Lambda. A change makes a new claim. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** Also delete a file system of exactly this name, with all that it holds. Default false. */
  readonly deleteFileSystems?: pulumi.Input<boolean | undefined>;
}

/**
 * The stack's claim on everything in the account that carries its unique name. Made before anything else and deleted
 * after everything else: then it ends what carries the name still, such as an instance whose launch was answered when
 * the `up` that asked for it had been killed.
 */
export class Claim extends RemoteResource {
  /** The unique name. What the stack makes takes its name from here, so that it comes after the claim. */
  declare readonly name: pulumi.Output<string>;

  constructor(name: string, args: ClaimArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/claim-handler", "Claim", name, { ...args }, options);
  }
}
