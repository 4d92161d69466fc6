import * as pulumi from "@pulumi/pulumi";
import { onlyMachine, type Plan } from "../plan/types";
import { Dataset, type Giver } from "./dataset";
import { Environment } from "./environment";
import { Gate } from "./gate";
import { Instance, type Rulesets } from "./instance";
import { formerly } from "./kit/formerly";
import type { FileSystem } from "./resources/file-system";
import { SelfTermination } from "./self-termination";
import { type MachineInForce, Standing } from "./standing";
import { Workspace } from "./workspace";

/** Arguments of {@link Machine}. */
export interface MachineArgs {
  /** Name of the stack. */
  readonly stack: string;
  /** The machine, and the runs that train there. */
  readonly plan: MachineInForce;
  /** What becomes of a run that goes on, where the plan has changed. */
  readonly onChange: Plan["onChange"];
  /** Networks from which SSH is let in, as CIDR. A change is made in place. */
  readonly sshSources: pulumi.Input<string[]>;
  /** Firewall rulesets that it shares, by region. Default: its own. */
  readonly rulesetIds?: Rulesets;
  /** File system that it shares. Default: its own. */
  readonly fileSystem?: FileSystem;
  /** Unique names of the instances that are launched together with its own. Default: it is launched alone. */
  readonly group?: pulumi.Input<string[]>;
  /** Another machine that passes the dataset on to this one. Default: it comes from home. */
  readonly giver?: Giver;
}

/** A machine on which training can start. */
export interface ReadyMachine {
  /** The plan that is in force there. */
  readonly plan: MachineInForce;
  /** What is there when somebody could train, by hand at least: the environment, and the dataset. */
  readonly prepared: readonly pulumi.Resource[];
  /** What must be done besides before a run starts. */
  readonly needs: readonly pulumi.Resource[];
}

/** An instance with workspace, dataset, environment and gate. */
export class Machine extends pulumi.ComponentResource {
  readonly instance: Instance;
  /** Resolves when all of it is registered, by the plan that is in force there. */
  readonly ready: Promise<ReadyMachine>;

  constructor(name: string, args: MachineArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Machine", name, {}, options);
    const { stack, plan, onChange, sshSources, rulesetIds, fileSystem, group, giver } = args;
    const prefix = name === onlyMachine ? "" : `${name}-`;
    const { cloud } = plan;
    const inside = formerly({ parent: this });
    const experiments = plan.runs.map(({ run }) => run.experiment);
    const rented = { stack, cloud, experiments, onChange, sshSources, rulesetIds, fileSystem, group };
    this.instance = new Instance(`${prefix}instance`, rented, inside);
    const place = { instanceId: this.instance.id, access: this.instance.access };

    // Before any upload: an `up` that fails half-way also leaves an instance that bills.
    const selfTermination =
      cloud.selfTermination && new SelfTermination(`${prefix}self-termination`, { ...place, cloud }, inside);
    // A running run keeps everything that it depends on: from here on, the plan is the one in force there.
    const standing = new Standing(`${prefix}standing`, { ...place, plan, onChange }, inside);
    this.ready = standing.plan.then((inForce) => {
      const onInstance = { ...place, plan: inForce };
      const { workload } = inForce;
      const workspace = new Workspace(`${prefix}workspace`, { ...place, workload, endpoint: cloud.endpoint }, inside);
      const dataset = inForce.dataset && new Dataset(`${prefix}dataset`, { ...onInstance, workspace, giver }, inside);
      const first = inForce.environment.waitsForDataset === true && dataset ? [workspace, dataset] : [workspace];
      const environment = new Environment(`${prefix}environment`, onInstance, { ...inside, dependsOn: first });
      const prepared = dataset === undefined ? [environment] : [environment, dataset];
      const checked = dataset === undefined ? [environment] : [environment, dataset.brought];
      const gate = new Gate(`${prefix}gate`, onInstance, { ...inside, dependsOn: checked });
      this.registerOutputs({ instanceId: this.instance.id });
      return { plan: inForce, prepared, needs: selfTermination === undefined ? [gate] : [gate, selfTermination] };
    });
  }
}
