import * as pulumi from "@pulumi/pulumi";
import type { MachinePlan } from "../plan/types";
import { archivePath, datasetPath, renderExtract } from "../remote/scripts";
import { portablePath } from "./kit/portable-path";
import type { OnInstanceArgs } from "./resources/on-instance";
import { Upload } from "./resources/upload";
import { step } from "./step";

/** Another machine of the fleet that passes the dataset on. */
export interface Giver {
  readonly machine: string;
  readonly instanceId: pulumi.Input<string>;
  /** What must be done before that machine can be asked. */
  readonly links: Promise<readonly pulumi.Resource[]>;
}

/** Arguments of {@link Dataset}. */
export interface DatasetArgs extends OnInstanceArgs {
  /** The plan; its dataset is there. A change of the dataset's content brings what changed. */
  readonly plan: MachinePlan;
  /** The code, in whose folder the dataset gets its place. Default: it is there. */
  readonly workspace?: pulumi.Resource;
  /** Default: it comes from home. */
  readonly giver?: Giver;
}

/** What `data/` holds on the instance: uploaded, fetched by the instance itself, or found on its file system. */
export class Dataset extends pulumi.ComponentResource {
  /** Hash of the dataset that the instance holds, once it is in place. */
  readonly hash: pulumi.Output<string>;
  /** What has brought the files: with it they are in place. Whether they are all right is the gate's to tell, too. */
  readonly brought: pulumi.Resource;

  constructor(name: string, args: DatasetArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Dataset", name, {}, options);
    const { plan, instanceId, access, workspace, giver } = args;
    const { dataset } = plan;
    if (dataset === undefined) throw new Error("A dataset component needs a plan with a dataset.");
    const { source, cache } = dataset;
    const placed = workspace === undefined ? [] : [workspace];
    // The code leaves alone what is at the target, so that both may come at once. But a folder above the target may be the
    // code's, as a link to a bigger disk.
    const isApart = source.kind === "archive" || cache !== undefined || !dataset.target.includes("/");
    const uploaded = source.kind === "folder" || source.kind === "archive";
    const first = isApart ? [] : placed;
    const waitsFor = giver?.links.then((links): pulumi.Input<pulumi.Resource>[] => [...first, ...links]) ?? first;
    const upload = uploaded
      ? new Upload(
          `${name}-upload`,
          {
            instanceId,
            access,
            kind: source.kind,
            source: portablePath(source.path),
            target: source.kind === "archive" ? archivePath(plan) : (cache ?? datasetPath(plan)),
            hash: dataset.hash,
            ...(cache !== undefined && { cache: { root: cache, by: plan.machine } }),
            ...(giver !== undefined && { giver: { machine: giver.machine, instanceId: giver.instanceId } }),
          },
          { parent: this, dependsOn: waitsFor },
        )
      : undefined;
    const extract = step(
      `${name}-extract`,
      {
        access,
        script: renderExtract(plan),
        triggers: [pulumi.output(instanceId)],
        // The instance has all of them or none: what one step brings must not take away another's.
        secrets: dataset.token === undefined && source.kind !== "bucket" ? undefined : plan.environment.secrets,
      },
      { parent: this, dependsOn: upload === undefined ? placed : [...placed, upload] },
    );
    this.brought = source.kind === "folder" && upload !== undefined && cache === undefined ? upload : extract;
    this.hash = extract.id.apply(() => dataset.hash);
    this.registerOutputs({ hash: this.hash });
  }
}
