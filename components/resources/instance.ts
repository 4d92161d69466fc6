import * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

type Texts = pulumi.Input<Record<string, pulumi.Input<string>> | undefined>;

/** Arguments of {@link Instance}. */
export interface InstanceArgs {
  /** Name of the {@link LaunchClaim}. An instance that carries it already is adopted. Changed in place. */
  readonly name: pulumi.Input<string>;
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** Acceptable instance types, best first. A list that lacks the instance's type replaces it. */
  readonly instanceTypes: pulumi.Input<pulumi.Input<string>[]>;
  /** Acceptable regions, best first. A list that lacks the instance's region replaces it. */
  readonly regions: pulumi.Input<pulumi.Input<string>[]>;
  /** Name of an SSH key in the account. A change replaces. */
  readonly sshKeyName: pulumi.Input<string>;
  /** Text for cloud-init, up to 1 MB. Secret. A change replaces. */
  readonly userData: pulumi.Input<string>;
  /** Image family; any image where left out. A change replaces. */
  readonly imageFamily?: pulumi.Input<string | undefined>;
  /** Firewall ruleset by region. A change of the one in the instance's region replaces. */
  readonly rulesetIds?: Texts;
  /** File systems to attach. They fix the region. A change replaces. */
  readonly fileSystemNames?: pulumi.Input<pulumi.Input<string>[] | undefined>;
  /** Tags. Keys begin with neither `lambda-ai-` nor `lambda-train:`. Changed in place. */
  readonly tags?: Texts;
  /** Seconds to wait for capacity. 0: one try at each type and region. Default 900. A change is only recorded. */
  readonly capacityTimeoutSeconds?: pulumi.Input<number | undefined>;
  /** Highest acceptable price, dollars per hour, checked at the launch. A change is only recorded. */
  readonly maxPricePerHour?: pulumi.Input<number | undefined>;
  /** Most dollars that `expectedHours` may cost, checked at the launch. A change is only recorded. */
  readonly budgetDollars?: pulumi.Input<number | undefined>;
  /** Hours that the run is expected to take. A change is only recorded. */
  readonly expectedHours?: pulumi.Input<number | undefined>;
  /** Instances that share the budget. Default: it has none beside it. A change is only recorded. */
  readonly instances?: pulumi.Input<number | undefined>;
  /** Unique names of instances of which all are launched in one region, or none. A change is only recorded. */
  readonly group?: pulumi.Input<string[] | undefined>;
}

/**
 * A VM, billed from its launch to its termination; there is no stopping in between. It is in the state as soon as its
 * id is known, before it has booted: see {@link Boot} for that. Terminated with its disk when deleted. The engine cannot
 * import dynamic resources: an instance that runs already is taken over by giving it the claim's name.
 */
export class Instance extends RemoteResource {
  declare readonly name: pulumi.Output<string>;
  /** The type that was launched. */
  declare readonly instanceType: pulumi.Output<string>;
  /** The region in which it was launched. */
  declare readonly region: pulumi.Output<string>;
  /** Dollars, before tax. */
  declare readonly pricePerHour: pulumi.Output<number>;
  declare readonly priceCentsPerHour: pulumi.Output<number>;
  /** `x86_64` or `arm64`. */
  declare readonly architecture: pulumi.Output<string>;
  declare readonly gpus: pulumi.Output<number>;
  /** ISO 8601. Of an adopted instance whose tags do not tell: when it was found. */
  declare readonly launchedAt: pulumi.Output<string>;
  /** Launched by an earlier `up` that was interrupted, and found by its name. */
  declare readonly adopted: pulumi.Output<boolean>;

  constructor(name: string, args: InstanceArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = {
      instanceType: undefined,
      region: undefined,
      pricePerHour: undefined,
      priceCentsPerHour: undefined,
      architecture: undefined,
      gpus: undefined,
      launchedAt: undefined,
      adopted: undefined,
    };
    const props = { ...outputs, ...args, userData: pulumi.secret(args.userData) };
    super("components/resources/instance-handler", "Instance", name, props, options);
  }
}
