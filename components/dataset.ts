import * as pulumi from "@pulumi/pulumi";
import type { MachinePlan } from "../plan/types";
import { archivePath, datasetPath, renderExtract } from "../remote/scripts";
import { portablePath } from "./kit/portable-path";
import type { OnInstanceArgs } from "./resources/on-instance";
import { Upload } from "./resources/upload";
import { step } from "./step";

/** Arguments of {@link Dataset}. */
export interface DatasetArgs extends OnInstanceArgs {
  /** The plan; its dataset is there. A change of the dataset's content brings what changed. */
  readonly plan: MachinePlan;
}

/** What `data/` holds on the instance: uploaded, fetched by the instance itself, or found on its file system. */
export class Dataset extends pulumi.ComponentResource {
  /** Hash of the dataset that the instance holds, once it is in place. */
  readonly hash: pulumi.Output<string>;

  constructor(name: string, args: DatasetArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Dataset", name, {}, options);
    const { plan, instanceId, access } = args;
    const { dataset } = plan;
    if (dataset === undefined) throw new Error("A dataset component needs a plan with a dataset.");
    const { source } = dataset;
    const uploaded = source.kind === "folder" || source.kind === "archive";
    const upload = uploaded
      ? new Upload(
          `${name}-upload`,
          {
            instanceId,
            access,
            kind: source.kind,
            source: portablePath(source.path),
            target: source.kind === "folder" ? datasetPath(plan) : archivePath(plan),
            hash: dataset.hash,
          },
          { parent: this },
        )
      : undefined;
    const extract = step(
      `${name}-extract`,
      { access, script: renderExtract(plan), triggers: [pulumi.output(instanceId)] },
      { parent: this, dependsOn: upload === undefined ? [] : [upload] },
    );
    this.hash = extract.id.apply(() => dataset.hash);
    this.registerOutputs({ hash: this.hash });
  }
}
