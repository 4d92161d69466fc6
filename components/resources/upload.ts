import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link Upload}. */
export interface UploadArgs extends OnInstanceArgs {
  /** API endpoint, whose date the instance is told. Lambda where left out. A change alone uploads nothing. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** `code` leaves out what .gitignore names; `folder` takes everything; `archive` is a single file. */
  readonly kind: pulumi.Input<"code" | "folder" | "archive">;
  /** Local folder or archive, relative to the project where it lies inside. A change alone uploads nothing. */
  readonly source: pulumi.Input<string>;
  /** Where it goes on the instance, relative to the home folder. A change replaces the resource. */
  readonly target: pulumi.Input<string>;
  /** Files written besides the folder's own, path → content. */
  readonly extraFiles?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Files and folders of this machine that are code as well, path under the target → path as the user wrote it. */
  readonly files?: pulumi.Input<Readonly<Record<string, string>> | undefined>;
  /** Of a dataset that lies on a file system for all machines: its folder there, and what others call this machine. */
  readonly cache?: pulumi.Input<{ readonly root: string; readonly by: string } | undefined>;
  /** Another machine of the fleet that may have the same, and passes it on. A change alone uploads nothing. */
  readonly giver?: pulumi.Input<{ readonly machine: string; readonly instanceId: pulumi.Input<string> } | undefined>;
  /** Paths under the target that are never touched. */
  readonly protectedPaths?: pulumi.Input<pulumi.Input<string>[]>;
  /** SHA-256 over the content. A change uploads what changed. */
  readonly hash: pulumi.Input<string>;
  /** Of code: tells what its repositories know of it. A change puts that in place, but not under a run that goes on. */
  readonly repository?: pulumi.Input<string | undefined>;
}

/** A folder or file of this machine, brought to the instance: what changed goes, what was removed is removed. */
export class Upload extends RemoteResource {
  /** Hash of what the instance holds. */
  declare readonly hash: pulumi.Output<string>;

  constructor(name: string, args: UploadArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/upload-handler", "Upload", name, { ...args }, options);
  }
}
