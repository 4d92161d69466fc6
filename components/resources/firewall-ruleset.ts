import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** What may come in. */
export interface FirewallRuleArgs {
  readonly protocol: pulumi.Input<"tcp" | "udp" | "icmp" | "all" | (string & {})>;
  /** First and last port, 1 to 65535. Required except for `icmp`, which has none. */
  readonly portRange?: pulumi.Input<[number, number] | undefined>;
  /** IPv4 address or network: `203.0.113.7/32`. */
  readonly sourceNetwork: pulumi.Input<string>;
  /** Up to 128 characters. */
  readonly description: pulumi.Input<string>;
}

/** Arguments of {@link FirewallRuleset}. */
export interface FirewallRulesetArgs {
  /** Name unique to the stack: the claim's, or the claim's followed by `-` and the region. Changed in place. */
  readonly name: pulumi.Input<string>;
  /** Region of the instances that it is for. A change replaces. In us-south-1 firewalls have no effect. */
  readonly region: pulumi.Input<string>;
  /** At most 20. Changed in place, also for running instances. */
  readonly rules: pulumi.Input<pulumi.Input<FirewallRuleArgs>[]>;
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
}

/** What may come in to instances launched with it. Deleted once no instance has it. */
export class FirewallRuleset extends RemoteResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly region: pulumi.Output<string>;

  constructor(name: string, args: FirewallRulesetArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/firewall-ruleset-handler", "FirewallRuleset", name, { ...args }, options);
  }
}
