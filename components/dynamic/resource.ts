import * as pulumi from "@pulumi/pulumi";

/** Where a clone has the program that the texts call, from the project's folder. */
export const programInClone = "./dist/components/dynamic/provider.js";

let called = {
  program: programInClone,
  remedy: "The project is not built (run `npm ci && npm run build` in its folder): ",
};

/** From now on the texts call the installed package: for a program of somebody else's. */
export function callPackage(): void {
  called = { program: "lambda-train/provider", remedy: "lambda-train is not installed (run `npm install`): " };
}

/**
 * The provider's program text as the state keeps it. The engine's provider process runs it in the project's folder,
 * also at a destroy years later: it must stay as it is for as long as any state holds it.
 *
 * Written out rather than serialized from a closure, which gives another text under another compiler, test runner or
 * SDK, and loads a compiler into every program start.
 *
 * The URN is in it because the engine's provider process does not tell a provider for which resource it is called.
 */
export function providerText(module: string, urn?: string): string {
  const names = [module, ...(urn === undefined ? [] : [urn])].map((name) => JSON.stringify(name)).join(", ");
  return [
    "exports.handler = () => {",
    "  try {",
    `    return require(${JSON.stringify(called.program)}).provider(${names});`,
    "  } catch (error) {",
    '    if (error.code === "MODULE_NOT_FOUND") {',
    `      error.message = ${JSON.stringify(called.remedy)} + error.message;`,
    "    }",
    "    throw error;",
    "  }",
    "};",
    "",
  ].join("\n");
}

/**
 * A dynamic resource whose life is in a handler module, named relative to the compiled tree and without extension:
 * `components/resources/instance-handler`. Its type is `pulumi-nodejs:dynamic/lambda-train:<type>`.
 *
 * Outputs that are not inputs must be in `props` as undefined, to become properties of the resource.
 */
export abstract class RemoteResource extends pulumi.CustomResource {
  protected constructor(
    module: string,
    type: string,
    name: string,
    props: pulumi.Inputs,
    options?: pulumi.CustomResourceOptions,
  ) {
    const text = urnOf(resourceType(type), name, options?.parent).then((urn) => providerText(module, urn));
    super(resourceType(type), name, { ...props, __provider: text }, options);
  }
}

/** A promise rather than an output: it makes the resource depend on nothing, its own parent least of all. */
function urnOf(type: string, name: string, parent: pulumi.Resource | undefined): Promise<string> {
  return new Promise((resolve) => {
    pulumi.createUrn(name, type, parent).apply(resolve);
  });
}

/** Type token of a dynamic resource of this project. */
export function resourceType(type: string): string {
  return `pulumi-nodejs:dynamic/lambda-train:${type}`;
}
