import { resolve } from "node:path";
import type { FleetPlace } from "../../lambda/account/fleet-place";
import { projectFolder } from "../../local/paths";
import { differences, type StandingPlan, standingOf } from "../../plan/standing";
import { onlyMachine, onlyRun } from "../../plan/types";
import type { CodeHere } from "../../remote/copies";
import type { SshAccess } from "../../remote/types";
import { claimsIn, dynamicType, type StateResource } from "./claims";
import { secretSignature } from "./names";
import type { MachineView, RunView, StackProgress, StackView } from "./stack-view";

interface Resource extends StateResource {
  readonly urn: string;
  readonly created?: string;
  readonly modified?: string;
}

interface Deployment {
  readonly resources?: readonly Resource[];
  readonly pending_operations?: readonly { readonly resource: Resource }[];
}

/** The resources of one machine or run. */
interface Part {
  readonly name: string;
  readonly resources: readonly Resource[];
  readonly find: (kind: string) => Resource | undefined;
  /** Inputs and outputs of the one of a kind; none where there is none. */
  readonly props: (kind: string) => Readonly<Record<string, unknown>>;
}

/** Resources of a machine and of a run, and the name that stands before theirs where it is not the only one. */
const machineKinds = ["Claim", "LaunchClaim", "FileSystem", "Instance", "Standing", "Upload"];
const machineName = /^(.+)-(?:instance|standing|workspace|dataset)-/;
const runKinds = ["Results", "Run"];
const runName = /^(.+)-(?:results-guard|watch)$/;

/** Reads a deployment as `pulumi stack export --show-secrets` prints it. */
export function viewOf(stack: string, exported: string): StackView {
  const { deployment } = JSON.parse(exported) as { deployment: Deployment };
  const resources = (deployment.resources ?? []).filter(({ type }) => type.startsWith(dynamicType));
  const found = partsOf(resources, machineKinds, machineName, onlyMachine);
  // Nothing of a stack's only machine may be there yet, or any more.
  const machines = found.length > 0 ? found : [partOf(onlyMachine, [])];
  const runs = partsOf(resources, runKinds, runName, onlyRun).map((run) => ({
    run,
    machine: machineOf(run, machines),
  }));
  return {
    stack,
    endpoint: claimsIn(resources).endpoint,
    machines: machines.map((machine) => {
      const there = runs.flatMap(({ run, machine: own }) => (own === machine.name ? [run] : []));
      return machineIn(machine, there, deployment);
    }),
    runs: runs.flatMap(({ run, machine }) => runIn(run, machine)),
    ...placesIn(resources),
  };
}

/** As the program wants them: what a refresh saw of them is in the outputs. */
function placesIn(resources: readonly Resource[]): Pick<StackView, "places"> {
  const accesses = resources.filter(({ type }) => type === `${dynamicType}FleetAccess`);
  const places = accesses.map(({ inputs }) => reveal(inputs) as FleetPlace);
  return places.length === 0 ? {} : { places };
}

/** Groups resources of some kinds by the machine or run that they are of, sorted by its name. */
function partsOf(resources: readonly Resource[], kinds: readonly string[], named: RegExp, only: string): Part[] {
  const ours = resources.filter(({ type }) => kinds.includes(type.slice(dynamicType.length)));
  const owner = (resource: Resource): string => named.exec(nameOf(resource))?.[1] ?? only;
  const names = [...new Set(ours.map(owner))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return names.map((name) =>
    partOf(
      name,
      ours.filter((each) => owner(each) === name),
    ),
  );
}

function partOf(name: string, resources: readonly Resource[]): Part {
  const find: Part["find"] = (kind) => resources.find(({ type }) => type === `${dynamicType}${kind}`);
  const props = (kind: string) => reveal({ ...find(kind)?.inputs, ...find(kind)?.outputs }) as Record<string, unknown>;
  return { name, resources, find, props };
}

/** The machine of a run: whose plan has the run, or on whose instance it is. */
function machineOf(run: Part, machines: readonly Part[]): string {
  const { instanceId } = run.props("Results");
  const own = machines.find(({ find, props }) => {
    const { plan } = props("Standing");
    const planned = plan === undefined ? [] : standingOf(plan as StandingPlan).runs;
    return planned.some(({ name }) => name === run.name) || find("Instance")?.id === instanceId;
  });
  return own?.name ?? machines[0]?.name ?? onlyMachine;
}

function machineIn({ name, resources, find, props }: Part, runs: readonly Part[], deployment: Deployment): MachineView {
  const { id } = find("Instance") ?? {};
  const { instanceType, region, priceCentsPerHour, launchedAt, budgetDollars } = props("Instance");
  const { name: fileSystem, region: itsRegion } = props("FileSystem");
  const { names, instanceIds } = claimsIn(resources);
  const speaking = runKinds.flatMap((kind) => runs.map((run) => run.props(kind)));
  const instance =
    id === undefined
      ? undefined
      : {
          id,
          type: String(instanceType),
          region: String(region),
          priceCents: Number(priceCentsPerHour),
          launchedAt: launchedAt as string | undefined,
          budgetDollars: budgetDollars as number | undefined,
        };
  return {
    machine: name,
    instance,
    ...(fileSystem !== undefined && { fileSystem: { name: String(fileSystem), region: String(itsRegion) } }),
    claims: { names, instanceIds },
    // Where the first uploads have failed, Standing alone knows it.
    access: [...speaking, props("Upload"), props("Standing")].find(({ access }) => access !== undefined)?.access as
      | SshAccess
      | undefined,
    ...codeIn(resources),
    ...waitingIn(find("Standing")),
    progress: progressOf(deployment, name === onlyMachine ? "" : `${name}-`),
  };
}

function codeIn(resources: readonly Resource[]): Pick<MachineView, "code"> {
  const upload = resources.find(({ type, inputs }) => type === `${dynamicType}Upload` && inputs?.kind === "code");
  if (upload === undefined) return {};
  const { source, target, ...code } = reveal({ ...upload.inputs, ...upload.outputs }) as Omit<CodeHere, "workspace"> & {
    readonly target: string;
  };
  return { code: { ...code, source: resolve(projectFolder(), source), workspace: target } };
}

function runIn({ name, props }: Part, machine: string): RunView[] {
  const { run, evaluation, worker, workspace, directory } = props("Results");
  const { dashboard, attempt } = props("Run");
  // Each is as the program gave it to the resource.
  const known = { name, machine, run, evaluation, dashboard, workspace, ...(worker !== undefined && { worker }) };
  const newest = attempt === undefined ? {} : { attempt: Number(attempt) };
  const planned = known as Omit<RunView, "resultsFolder">;
  return run === undefined
    ? []
    : [{ ...planned, ...newest, resultsFolder: resolve(projectFolder(), directory as string) }];
}

/** A running run keeps its plan in force: the outputs hold that plan, the inputs the one that waits. */
function waitingIn(standing: Resource | undefined): Pick<MachineView, "waits"> {
  const [inForce, asked] = [standing?.outputs?.plan, standing?.inputs?.plan].map(reveal);
  if (inForce === undefined || asked === undefined) return {};
  const waits = differences(standingOf(inForce as StandingPlan), standingOf(asked as StandingPlan));
  return waits.length === 0 ? {} : { waits };
}

/** @param prefix What stands before the names of the machine's resources. */
function progressOf({ resources = [], pending_operations: begun = [] }: Deployment, prefix: string): StackProgress {
  const own = (resource: Resource): string[] => {
    const name = nameOf(resource);
    return name.startsWith(prefix) ? [name.slice(prefix.length)] : [];
  };
  const done = resources.flatMap((resource) => {
    const first = Date.parse(resource.created ?? "");
    const last = Date.parse(resource.modified ?? resource.created ?? "");
    return Number.isNaN(first) ? [] : own(resource).map((name) => [name, { first, last }] as const);
  });
  return { done: Object.fromEntries(done), underWay: begun.flatMap(({ resource }) => own(resource)) };
}

function nameOf({ urn }: Resource): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** Replaces secrets by their values, at any depth. */
function reveal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reveal);
  if (typeof value !== "object" || value === null) return value;
  const secret = value as { [secretSignature]?: string; plaintext?: string };
  if (secret[secretSignature] !== undefined && secret.plaintext !== undefined) return JSON.parse(secret.plaintext);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, reveal(inner)]));
}
