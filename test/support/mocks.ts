import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest, RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb";

/** One registration of a resource, as the engine gets it. */
export interface Registration {
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** Name of the parent; undefined for none. */
  readonly parent?: string;
  /** Inputs in clear. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Inputs without what is secret in them. */
  readonly open: Readonly<Record<string, unknown>>;
  /** Names of the resources that it comes after. */
  readonly dependsOn: readonly string[];
  /** Names of the resources from which each input comes. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly deleteBeforeReplace: boolean;
  readonly additionalSecretOutputs: readonly string[];
}

/** Outputs that the cloud or the instance would give, besides the inputs. */
export type Answer = (type: string, name: string, inputs: Readonly<Record<string, unknown>>) => Record<string, unknown>;

type Callback = (error: Error | undefined, response: RegisterResourceResponse | undefined) => void;
type Register = (request: RegisterResourceRequest, callback: Callback) => Promise<void>;

/** Takes the engine's place: every resource is made at once, and remembered as it was registered. */
export class Mocks {
  /** In the order in which they came. */
  readonly registrations: Registration[] = [];
  private readonly names = new Map<string, string>();

  /**
   * @param answer see {@link Answer}; each resource has the id `<name>-id`
   * @param preview whether ids and answers stay unknown, as in a preview of a first `up`
   */
  static async start(answer: Answer, { stack = "test", preview = false } = {}): Promise<Mocks> {
    const mocks = new Mocks();
    const newResource = ({ type, name, inputs, custom }: pulumi.runtime.MockResourceArgs) => ({
      id: preview || custom === false ? undefined : `${name}-id`,
      state: preview ? inputs : { ...inputs, ...answer(type, name, inputs) },
    });
    await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "lambda-train", stack, preview);
    const monitor = pulumi.runtime.getMonitor() as unknown as { registerResource: Register };
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) => {
      mocks.remember(request);
      return register(request, (error, response) => {
        if (response !== undefined) mocks.names.set(response.getUrn(), request.getName());
        callback(error, response);
      });
    };
    return mocks;
  }

  /** Waits until everything that the program asked for is done. Must be called before other mocks take over. */
  settled(): Promise<void> {
    return pulumi.runtime.disconnect();
  }

  /** The registration of this name. */
  of(name: string): Registration {
    const found = this.registrations.find((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} was not registered: ${this.children(undefined).join(", ")}`);
    return found;
  }

  /** Names and types of a resource's children, in alphabetical order. */
  children(parent: string | undefined): string[] {
    const found = this.registrations.filter((each) => each.parent === parent);
    return found.map(({ name, type }) => `${name} ${type}`).sort();
  }

  /** Whether one resource is made only when another one is there, and deleted before it, by itself or by its parent. */
  comesAfter(name: string, other: string): boolean {
    const { dependsOn, parent } = this.of(name);
    const earlier = parent === undefined ? dependsOn : [...dependsOn, parent];
    return earlier.some((each) => each === other || this.comesAfter(each, other));
  }

  private remember(request: RegisterResourceRequest): void {
    const properties = request.getObject()?.toJavaScript() ?? {};
    const nameOf = (urn: string): string => this.names.get(urn) ?? urn;
    const inputsFrom: Record<string, string[]> = {};
    request.getPropertydependenciesMap().forEach((dependencies, property) => {
      inputsFrom[property] = dependencies.getUrnsList().map(nameOf).sort();
    });
    this.registrations.push({
      type: request.getType(),
      name: request.getName(),
      custom: request.getCustom(),
      parent: request.getParent() === "" ? undefined : nameOf(request.getParent()),
      inputs: reveal(properties) as Record<string, unknown>,
      open: conceal(properties) as Record<string, unknown>,
      dependsOn: request.getDependenciesList().map(nameOf).sort(),
      propertyDependencies: inputsFrom,
      deleteBeforeReplace: request.getDeletebeforereplace(),
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    });
  }
}

/** The value of an output, once it is there. Never settles for one that stays unknown: see {@link isKnown}. */
export function outputValue<T>(output: pulumi.Output<T>): Promise<pulumi.Unwrap<T>> {
  return new Promise((settle) => pulumi.output(output).apply((value) => settle(value as pulumi.Unwrap<T>)));
}

/** Whether an output has a value, or gets one only when the stack is really brought up. */
export function isKnown(output: pulumi.Output<unknown>): Promise<boolean> {
  return (output as unknown as { readonly isKnown: Promise<boolean> }).isKnown;
}

/** The value behind every secret, at any depth. */
function reveal(value: unknown): unknown {
  return mapSecrets(value, (secret) => reveal(secret));
}

/** The value with `[secret]` in place of every secret. */
function conceal(value: unknown): unknown {
  return mapSecrets(value, () => "[secret]");
}

function mapSecrets(value: unknown, at: (secret: unknown) => unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return at(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map((each) => mapSecrets(each, at));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mapSecrets(each, at)]));
}
