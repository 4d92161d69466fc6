import * as pulumi from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { callerRule, namedRule } from "../lambda/account/caller-access";
import { bareKey } from "../lambda/account/key-line";
import { hostKeyTag, managedBy } from "../lambda/account/tags";
import { renderUserData } from "../lambda/launch/user-data";
import type { CloudPlan, Plan } from "../plan/types";
import { agentName } from "../remote/agent";
import type { StartedOn } from "../remote/provenance";
import type { SshAccess } from "../remote/types";
import { Boot } from "./resources/boot";
import { Claim, type Login } from "./resources/claim";
import { FileSystem } from "./resources/file-system";
import { FirewallRuleset } from "./resources/firewall-ruleset";
import { Instance as LambdaInstance } from "./resources/instance";
import { KeyPair } from "./resources/key-pair";
import { LaunchClaim } from "./resources/launch-claim";
import { SshKey } from "./resources/ssh-key";

/** Arguments of {@link Instance}. */
export interface InstanceArgs {
  /** Name of the stack. */
  readonly stack: string;
  /** What is launched. */
  readonly cloud: CloudPlan;
  /** Names of the experiments that train there, for the instance's tag. A change is made in place. */
  readonly experiments: readonly string[];
  /** What becomes of a run that goes on where a change replaces the instance. */
  readonly onChange: Plan["onChange"];
  /** Networks from which SSH is let in, as CIDR. A change is made in place. */
  readonly sshSources: pulumi.Input<string[]>;
  /** Firewall rulesets of another instance that this one has as well, by region. Default: its own. */
  readonly rulesetIds?: Rulesets;
  /** File system of another instance that this one attaches as well. Default: its own. */
  readonly fileSystem?: FileSystem;
  /** Unique names of instances that are launched in one region, or none. Default: it is launched alone. */
  readonly group?: pulumi.Input<string[]>;
}

/** Ids of firewall rulesets by region. */
export type Rulesets = Readonly<Record<string, pulumi.Output<string>>>;

/**
 * A rented instance with its own login key, host key and firewall. Everything carries one unique name, which is in the
 * state before anything is rented: by it a launch whose answer was lost is found again.
 */
export class Instance extends pulumi.ComponentResource {
  readonly id: pulumi.Output<string>;
  /** The type that was launched. */
  readonly instanceType: pulumi.Output<string>;
  readonly region: pulumi.Output<string>;
  /** Public IPv4 address. */
  readonly ip: pulumi.Output<string>;
  /** Dollars per hour, before tax. */
  readonly pricePerHour: pulumi.Output<number>;
  /** What it is, when it was launched (ISO 8601), and what it costs in cents per hour. */
  readonly bill: pulumi.Output<StartedOn & { launchedAt: string; priceCentsPerHour: number }>;
  /** How to reach it, once it has booted. Secret. */
  readonly access: pulumi.Output<SshAccess>;
  /** Address among instances of the region; may be empty. */
  readonly privateIp: pulumi.Output<string>;
  /** TCP port of sshd. */
  readonly sshPort: pulumi.Output<number>;
  /** The host key that it shows: an OpenSSH line. */
  readonly hostKey: pulumi.Output<string>;
  readonly rulesetIds: Rulesets;
  readonly fileSystem: FileSystem | undefined;
  /** What it takes to log in, besides its address. Secret. Does not wait for anything that is launched. */
  readonly login: pulumi.Output<Login>;
  /** Its unique name. Does not wait for anything that is launched. */
  readonly uniqueName: pulumi.Output<string>;

  constructor(name: string, args: InstanceArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Instance", name, {}, options);
    const { stack, cloud, experiments, onChange, sshSources, group } = args;
    const { endpoint } = cloud;
    const inside = { parent: this };
    // Also where `--replace` forces it: a name is one thing's at a time, and a second would be the first, adopted.
    const named = { ...inside, deleteBeforeReplace: true };

    // A stack that is renamed keeps its unique name: another one would replace all that carries it.
    const kept = { ...inside, ignoreChanges: ["prefix"] };
    const suffix = new RandomId(`${name}-suffix`, { byteLength: 4, prefix: namePrefix(stack) }, kept);
    const login = new KeyPair(`${name}-login`, { comment: "lambda-train" }, inside);
    const host = new KeyPair(`${name}-host`, { comment: "lambda-train host" }, inside);
    const { instanceTypes, regions, imageFamily, recoveryKeys } = cloud;
    const fileSystemNames = cloud.fileSystem === undefined ? undefined : [cloud.fileSystem.name];
    this.login = pulumi.secret({ privateKey: login.privateKey, hostKey: host.publicKey, port: cloud.sshPort });
    const claim = new Claim(
      `${name}-claim`,
      {
        name: suffix.hex,
        endpoint,
        placement: { instanceTypes, regions, imageFamily, recoveryKeys, fileSystemNames, onChange },
        login: this.login,
      },
      inside,
    );
    const sshKey = new SshKey(`${name}-ssh-key`, { name: claim.name, publicKey: login.publicKey, endpoint }, named);
    const rulesetIds = args.rulesetIds ?? rulesets(name, cloud, claim.name, sshSources, named);
    // After the claim, which refuses what would replace an instance under a run.
    const fileSystem = args.fileSystem ?? attached(name, cloud, { ...named, dependsOn: claim });

    const needs = [sshKey.id, ...Object.values(rulesetIds), ...(fileSystem === undefined ? [] : [fileSystem.id])];
    const launches = new LaunchClaim(`${name}-launches`, { name: claim.name, endpoint, needs }, inside);

    const instance = new LambdaInstance(
      `${name}-vm`,
      {
        name: launches.name,
        endpoint,
        instanceTypes: [...instanceTypes],
        regions: [...regions],
        sshKeyName: sshKey.name,
        userData: pulumi
          .all([host.privateKey, host.publicKey])
          .apply(([privateKey, publicKey]) => renderUserData({ privateKey, publicKey }, loginsOf(cloud))),
        imageFamily,
        rulesetIds,
        fileSystemNames: fileSystem === undefined ? undefined : [fileSystem.name],
        tags: {
          [managedBy.key]: managedBy.value,
          stack,
          experiment: experiments.join(" ").slice(0, longestTag),
          // Public. With it the machine can be told from another even where the state is lost.
          [hostKeyTag]: host.publicKey.apply(bareKey),
        },
        capacityTimeoutSeconds: cloud.capacityTimeoutSeconds,
        maxPricePerHour: cloud.maxPricePerHour,
        budgetDollars: cloud.budgetDollars,
        expectedHours: cloud.expectedHours,
        instances: cloud.instances,
        group,
      },
      cloud.protect === undefined ? named : { ...named, protect: cloud.protect },
    );
    const boot = new Boot(
      `${name}-boot`,
      {
        instanceId: instance.id,
        hostKey: host.publicKey,
        privateKey: login.privateKey,
        endpoint,
        sshPort: cloud.sshPort,
        bootTimeoutSeconds: cloud.bootTimeoutSeconds,
        agent: agentName(),
      },
      inside,
    );

    this.id = instance.id;
    this.instanceType = instance.instanceType;
    this.region = instance.region;
    this.ip = boot.ip;
    this.pricePerHour = instance.pricePerHour;
    this.bill = pulumi
      .all([instance.launchedAt, instance.priceCentsPerHour, instance.instanceType, instance.region])
      .apply(([launchedAt, priceCentsPerHour, type, region]) => ({ launchedAt, priceCentsPerHour, type, region }));
    this.access = pulumi.secret(
      pulumi
        .all([boot.ip, boot.sshPort, boot.user, login.privateKey, host.publicKey])
        .apply(([ip, port, user, privateKey, hostKey]) => ({ host: ip, port, user, privateKey, hostKey })),
    );
    this.privateIp = boot.privateIp;
    this.sshPort = boot.sshPort;
    this.hostKey = host.publicKey;
    this.rulesetIds = rulesetIds;
    this.fileSystem = fileSystem;
    this.uniqueName = suffix.hex;
    this.registerOutputs({ id: this.id, instanceType: this.instanceType, region: this.region, ip: this.ip });
  }
}

/** The longest value of a tag that Lambda takes. */
const longestTag = 128;

/** The user's own keys, beside the one that Lambda puts there. */
function loginsOf({ recoveryKeys = [] }: CloudPlan): Record<string, unknown> {
  return recoveryKeys.length === 0 ? {} : { ssh_authorized_keys: recoveryKeys };
}

/** Start of the unique name: the stack's, as far as Lambda's names take it. */
function namePrefix(stack: string): string {
  const plain = stack.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return `lambda-train-${plain.slice(0, 24).replace(/^-|-$/g, "")}-`;
}

/** A firewall ruleset a region: which one is used is known only when capacity is found, and an unused one costs nothing. */
function rulesets(
  name: string,
  { regions, endpoint, sshSources: named }: CloudPlan,
  claim: pulumi.Output<string>,
  sshSources: pulumi.Input<string[]>,
  options: pulumi.CustomResourceOptions,
): Rulesets {
  const rules = pulumi.output(sshSources).apply((networks) =>
    networks.map((sourceNetwork) => ({
      protocol: "tcp" as const,
      portRange: [22, 22] as [number, number],
      sourceNetwork,
      description: named === "auto" ? callerRule : namedRule,
    })),
  );
  const made = regions.map((region) => {
    const ruleset = new FirewallRuleset(
      `${name}-firewall-${region}`,
      { name: pulumi.interpolate`${claim}-${region}`, region, rules, endpoint },
      options,
    );
    return [region, ruleset.id] as const;
  });
  return Object.fromEntries(made);
}

function attached(name: string, cloud: CloudPlan, options: pulumi.CustomResourceOptions): FileSystem | undefined {
  const { fileSystem, regions, endpoint } = cloud;
  const region = regions[0];
  if (fileSystem === undefined || region === undefined) return undefined;
  return new FileSystem(
    `${name}-file-system`,
    { name: fileSystem.name, region, regions: [...regions], create: fileSystem.create, endpoint },
    options,
  );
}
