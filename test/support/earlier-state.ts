import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Project, StateResource } from "./project";

interface Exported {
  deployment: { resources: (StateResource & { parent?: string })[] };
}

/** In an export with secrets shown, a secret is an object that holds its value as JSON text. */
interface ShownSecret {
  plaintext: string;
}

const component = "lambda-train:index:";

/**
 * Rewrites a stack's state as release 0.1.0 wrote it: every component directly below the stack, handlers by their old
 * modules, other scripts in steps, no more inputs than it knew, and a machine's plan with one run in it.
 * @param options `standing: false`: as its first builds wrote it, which kept no plan in force
 */
export async function writeStateOf010(project: Project, { standing = true } = {}): Promise<void> {
  const file = "state.json";
  const exported = await project.pulumi(["stack", "export", "--show-secrets", "--file", file]);
  if (exported.code !== 0) throw new Error(exported.output);
  const state = JSON.parse(project.read(file)) as Exported;
  const { resources } = state.deployment;
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.urn;
  const machine = resources.find(({ type }) => type === `${component}Machine`)?.urn;
  for (const resource of resources) {
    const moved = resource.type === `${component}Results` || resource.type === `${component}Evaluation`;
    if (moved || (machine !== undefined && resource.parent === machine)) resource.parent = stack;
    for (const properties of [resource.inputs, resource.outputs]) {
      for (const name of ["placement", "login", "agent"]) delete properties?.[name];
      if (resource.type === "command:remote:Command" && properties?.stdin !== undefined) properties.stdin = "exit 0";
    }
    if (resource.type.endsWith("dynamic/lambda-train:Standing")) {
      for (const properties of [resource.inputs, resource.outputs]) {
        const plan = properties?.plan as ShownSecret;
        const { runs, ...rest } = JSON.parse(plan.plaintext) as { runs?: object[] };
        // Nothing has changed since it was written so: the engine keeps it as it is.
        if (runs === undefined) continue;
        const { name: _name, machine: _machine, ...run } = runs[0] as Record<string, unknown>;
        plan.plaintext = JSON.stringify({ ...rest, ...run });
      }
    }
  }
  state.deployment.resources = resources.filter(
    ({ urn, type }) => urn !== machine && (standing || !type.endsWith(":Standing")),
  );
  const text = JSON.stringify(state)
    .replaceAll(`${component}Machine$`, "")
    .replaceAll(`${component}Run$${component}`, component)
    .replace(/components\/resources\/([a-z-]+)-handler/g, (_, name: string) => {
      const overSsh = ["evaluation", "results", "run", "self-termination", "standing", "upload"].includes(name);
      return `components/${overSsh ? "remote" : "lambda"}/handlers/${name}`;
    });
  project.write(file, text);
  const imported = await project.pulumi(["stack", "import", "--file", file]);
  rmSync(join(project.folder, file));
  if (imported.code !== 0) throw new Error(imported.output);
}
