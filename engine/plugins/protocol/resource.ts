import type { Shape } from "./shape";
import type { Properties } from "./values";

/** What an operation may use beside its inputs. */
export interface Operation {
  readonly urn: string;
  /** The resource's logical name: the last part of the URN. */
  readonly name: string;
  /** Aborted when the engine cancels the update. */
  readonly signal: AbortSignal;
  /** Shows a line beside the resource while it is being worked on; it is not kept. */
  status(line: string): void;
}

/**
 * One resource type. All values are plain here: the service unwraps secrets on the way in, and echoes the inputs,
 * with their marks, into the outputs on the way out, so that an output is secret when the input of its name is.
 */
export interface ResourceType {
  readonly inputs: Shape;
  /** Outputs that are not inputs too. Not known in previews. */
  readonly outputs: readonly string[];
  create(inputs: Properties, operation: Operation): Promise<{ id: string; outputs: Properties }>;
  /** Left out where every change replaces. `olds` are all old outputs. */
  update?(olds: Properties, inputs: Properties, operation: Operation): Promise<Properties>;
  /** `olds` are all old outputs. */
  delete?(olds: Properties, operation: Operation): Promise<void>;
}

/** A plugin: its name, the version of the published plugin that it stands in for, and its resource types by token. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
  readonly types: { readonly [token: string]: ResourceType };
}
