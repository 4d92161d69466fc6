import type * as pulumi from "@pulumi/pulumi";
import type { Plan } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";

/** What an instance is launched with. A change that it can't take over replaces it. */
export interface Placement {
  readonly instanceTypes: readonly string[];
  readonly regions: readonly string[];
  readonly imageFamily?: string;
  readonly fileSystemNames?: readonly string[];
  /** Public keys that may log in besides the stack's own. */
  readonly recoveryKeys?: readonly string[];
  /** How many machines train together. Absent: each trains alone. */
  readonly nodes?: number;
  /** What becomes of a run that goes on: with `restart` it is ended, otherwise the change is refused. */
  readonly onChange: Plan["onChange"];
}

/** How to look at the runs of an instance. Secret. */
export interface Login {
  readonly privateKey: string;
  readonly hostKey: string;
  readonly port?: number;
  readonly user?: string;
}

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
  /** What instances are launched with. A change fails while a run goes on on an instance that it would replace, or that would get another beside it. */
  readonly placement?: pulumi.Input<Placement | undefined>;
  /** How to look at that run. A change is recorded. */
  readonly login?: pulumi.Input<Login | undefined>;
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
