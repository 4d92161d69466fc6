import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link FileSystem}. */
export interface FileSystemArgs {
  /** 1 to 60 letters, digits and dashes, a letter first. A change replaces. */
  readonly name: pulumi.Input<string>;
  /** Where it is. It can only be attached to instances of its region. A change replaces. */
  readonly region: pulumi.Input<string>;
  /** Regions that may be used. A change of `region` replaces nothing where it is in one of these. */
  readonly regions?: pulumi.Input<pulumi.Input<string>[] | undefined>;
  /** Make it where it does not exist. Default false: it must exist. */
  readonly create?: pulumi.Input<boolean | undefined>;
  /**
   * Delete it with the stack, with all that it holds. Default false. One that existed before the stack is never
   * deleted, whatever this says.
   */
  readonly deleteOnDestroy?: pulumi.Input<boolean | undefined>;
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
}

/** Storage that outlives instances; several may attach it. */
export class FileSystem extends RemoteResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly region: pulumi.Output<string>;
  /** Folder on the instance. */
  declare readonly mountPoint: pulumi.Output<string>;
  /** Whether the stack made it. */
  declare readonly created: pulumi.Output<boolean>;

  constructor(name: string, args: FileSystemArgs, options?: pulumi.CustomResourceOptions) {
    const props = { mountPoint: undefined, created: undefined, ...args };
    super("components/resources/file-system-handler", "FileSystem", name, props, options);
  }
}
