import * as pulumi from "@pulumi/pulumi";
import { renderJoin } from "../remote/scripts";
import type { Instance } from "./instance";
import { FleetAccess } from "./resources/fleet-access";
import { KeyPair } from "./resources/key-pair";
import { step } from "./step";

/** A machine of a fleet. */
export interface FleetMember {
  /** Its name. */
  readonly machine: string;
  readonly instance: Instance;
}

/** Arguments of {@link Fleet}. */
export interface FleetArgs {
  readonly endpoint: string;
  /** All machines of the stack, the first of which all others ask. */
  readonly members: readonly FleetMember[];
  /** Whether one training needs all of them: they open all ports to each other, and each knows and waits for the others. */
  readonly together: boolean;
}

/**
 * The way between a stack's machines: a key that each of them holds, with which the others may ask its agent and nothing
 * else; their addresses and host keys; and firewall rules for these addresses alone.
 */
export class Fleet extends pulumi.ComponentResource {
  /** What must be done on a machine before something there speaks to another machine. */
  readonly links: ReadonlyMap<string, readonly pulumi.Resource[]>;

  constructor(name: string, { endpoint, members, together }: FleetArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Fleet", name, {}, options);
    const key = new KeyPair(`${name}-key`, { comment: "lambda-train fleet" }, { parent: this });
    const [first] = members;
    const links = members.map((member) => {
      const { region, ip, privateIp } = member.instance;
      const rulesetIds = { ...member.instance.rulesetIds };
      const access = new FleetAccess(
        `${name}-${member.machine}-access`,
        { endpoint, rulesetIds, region, ip, privateIp, ...(together && { allPorts: true }) },
        { parent: this },
      );
      const join = (suffix: string, known: readonly FleetMember[]): pulumi.Resource =>
        this.join(`${name}-${member.machine}-${suffix}`, member, known, key);
      if (together || first === undefined) return [member.machine, [join("all", members), access]] as const;
      // It asks the first alone, and so doesn't wait for capacity for the others. A hundred that knew a hundred would be ten
      // thousand places in the state, which the engine writes anew with each resource.
      const known = members.filter((each) => each === first || each === member);
      return [member.machine, [join("hub", known), access]] as const;
    });
    this.links = new Map(links);
    this.registerOutputs({});
  }

  /** Writes down on a machine how to reach others. Runs again when an address changes. */
  private join(
    name: string,
    { machine, instance }: FleetMember,
    known: readonly FleetMember[],
    key: KeyPair,
  ): pulumi.Resource {
    const peers = pulumi.all(
      known.map(({ machine: peer, instance: { ip, privateIp, sshPort, hostKey } }) =>
        pulumi
          .all([ip, privateIp, sshPort, hostKey])
          .apply(([address, own, port, host]) => ({ machine: peer, addresses: [own, address], port, hostKey: host })),
      ),
    );
    const script = pulumi
      .all([key.privateKey, key.publicKey, peers])
      .apply(([privateKey, publicKey, others]) => renderJoin({ me: machine, privateKey, publicKey, peers: others }));
    return step(
      name,
      { access: instance.access, script: pulumi.secret(script), triggers: [instance.id] },
      { parent: this },
    );
  }
}
