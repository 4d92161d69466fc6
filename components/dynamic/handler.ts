/**
 * What a handler module exports as `handler`: the life of one dynamic resource, run in the engine's provider process.
 * Inputs and outputs are plain data; the process keeps no state between calls.
 */
export interface DynamicHandler<Inputs extends object = object, Outputs extends object = object> {
  /** Validates and completes the inputs. Runs in previews too: inputs may be unknown. No network calls here. */
  check?(news: Inputs, olds: Partial<Inputs>, context: HandlerContext): Check<Inputs> | Promise<Check<Inputs>>;
  /** Decides between nothing, update and replacement. No network calls here: the engine diffs one at a time. */
  diff(id: string, olds: Outputs, news: Inputs, context: HandlerContext): Diff | Promise<Diff>;
  /** Makes the resource. Not called in previews. Throw {@link CreatedButFailed} where something exists already. */
  create(inputs: Inputs, context: HandlerContext): Promise<{ readonly id: string; readonly outs: Outputs }>;
  /**
   * Reads the resource again; undefined if it is gone. `props` are the last outputs (of a lookup by id: the inputs).
   * Without it a refresh changes nothing.
   */
  read?(id: string, props: Partial<Outputs>, context: HandlerContext): Promise<Read<Inputs, Outputs> | undefined>;
  /** Changes the resource in place; what it returns replaces all outputs. Without it the new inputs are recorded. */
  update?(id: string, olds: Outputs, news: Inputs, context: HandlerContext): Promise<Outputs>;
  /** Ends the resource. Must succeed where it is gone already. Without it nothing is done. */
  delete?(id: string, props: Outputs, context: HandlerContext): Promise<void>;
}

/** Completed inputs, and what is wrong with them. */
export interface Check<Inputs> {
  readonly inputs: Inputs;
  readonly failures?: readonly { readonly property: string; readonly reason: string }[];
}

/** Decision of a diff. */
export interface Diff {
  readonly changes: boolean;
  /** Names of the inputs whose change needs another resource. */
  readonly replaces?: string[];
  /** The old resource goes before the new one comes. */
  readonly deleteBeforeReplace?: boolean;
}

/** Fresh outputs, and the inputs that would make them (absent: the inputs in the state stay). */
export interface Read<Inputs, Outputs> {
  readonly id: string;
  readonly props: Outputs;
  readonly inputs?: Inputs;
}

/** What the provider process gives to a handler. */
export interface HandlerContext {
  /** Value of a key of the stack's configuration, like `lambda-train:apiKey`, decrypted. */
  config(key: string): string | undefined;
  /**
   * Keeps one line in the engine's output. For facts that a person wants to find there afterwards: what was launched,
   * what came home, what could not be reached.
   */
  progress(message: string): void;
  /**
   * What is happening now: a phase and its details. May be called at every poll. The output shows it at a rate that the
   * engine can bear, with the duration of the phase.
   */
  status(phase: string, detail?: string): void;
  /** Whether the engine that asked still runs. A provider outlives a killed CLI and must not rent anything then. */
  engineAlive(): Promise<boolean>;
  /** Aborted when the user has interrupted the command. For waits alone: what changes something is brought to its end. */
  readonly interrupted: AbortSignal;
}

/**
 * Thrown by `create` or `update` if the resource exists but isn't what was asked for: the engine keeps it in the
 * state with these outputs, the next `up` calls `update`, `destroy` calls `delete`.
 */
export class CreatedButFailed extends Error {
  override readonly name = "CreatedButFailed";

  constructor(
    message: string,
    readonly id: string,
    readonly outs: object,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
