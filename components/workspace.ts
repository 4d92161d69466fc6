import * as pulumi from "@pulumi/pulumi";
import type { WorkloadPlan } from "../plan/types";
import { portablePath } from "./kit/portable-path";
import type { OnInstanceArgs } from "./resources/on-instance";
import { Upload } from "./resources/upload";

/** Arguments of {@link Workspace}. */
export interface WorkspaceArgs extends OnInstanceArgs {
  /** The workload to upload. A change of its content uploads what changed. */
  readonly workload: WorkloadPlan;
  /** API endpoint, whose date the instance is told. */
  readonly endpoint: string;
}

/** The workload's folder on the instance. */
export class Workspace extends pulumi.ComponentResource {
  /** Hash of the code that the instance holds. */
  readonly hash: pulumi.Output<string>;

  constructor(name: string, args: WorkspaceArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Workspace", name, {}, options);
    const { workload, endpoint, instanceId, access } = args;
    const upload = new Upload(
      `${name}-code`,
      {
        instanceId,
        access,
        endpoint,
        kind: "code",
        source: portablePath(workload.folder),
        target: workload.name,
        extraFiles: workload.extraFiles,
        files: workload.files,
        protectedPaths: [...workload.protectedPaths],
        hash: workload.hash,
        repository: workload.repository,
      },
      { parent: this },
    );
    this.hash = upload.hash;
    this.registerOutputs({ hash: this.hash });
  }
}
