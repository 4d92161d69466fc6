import { resolve } from "node:path";
import type { Claims } from "../../lambda/account/strays";
import { projectFolder } from "../../local/paths";
import { differences, type StandingPlan, standingOf } from "../../plan/standing";
import type { DashboardPlan, EvaluationPlan, RunPlan } from "../../plan/types";
import type { ResultsPlace } from "../../remote/results";
import type { SshAccess } from "../../remote/types";
import { CommandError, exitCodes } from "../terminal/command";
import { claimsIn } from "./claims";

/** A stack as its state tells it: what an operator command needs, also after an `up` that failed half-way. */
export interface StackView {
  readonly stack: string;
  readonly endpoint?: string;
  readonly instance?: {
    readonly id: string;
    readonly type: string;
    readonly region: string;
    /** Cents per hour. */
    readonly priceCents: number;
    /** ISO 8601 in UTC. */
    readonly launchedAt?: string;
    /** Most dollars that it may cost, as of the last `up`. */
    readonly budgetDollars?: number;
  };
  /** Names that it may have launched under, and its instances. */
  readonly claims?: Claims;
  readonly access?: SshAccess;
  readonly run?: RunPlan;
  readonly evaluation?: EvaluationPlan;
  readonly dashboard?: DashboardPlan;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace?: string;
  /** Local folder of the stack's results, absolute. */
  readonly resultsFolder?: string;
  /** What of the last `up` waits for the end of the run, in words. Absent: nothing. */
  readonly waits?: readonly string[];
  /** How far the stack's resources are. */
  readonly progress: StackProgress;
}

/** Which resources of a stack are done and which are being worked on, by their names in the program. */
export interface StackProgress {
  /** Milliseconds since the epoch at which a resource was made, and at which that was done again last. */
  readonly done: Readonly<Record<string, { readonly first: number; readonly last: number }>>;
  readonly underWay: readonly string[];
}

interface Resource {
  readonly urn: string;
  readonly created?: string;
  readonly modified?: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

interface Deployment {
  readonly resources?: readonly Resource[];
  readonly pending_operations?: readonly { readonly resource: Resource }[];
}

/** In an export with secrets shown, a secret is an object that holds its value as JSON text. */
const secretSignature = "4dabf18193072939515e22adb298388d";

/** Replaces secrets by their values, at any depth. */
export function reveal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reveal);
  if (typeof value !== "object" || value === null) return value;
  const secret = value as { [secretSignature]?: string; plaintext?: string };
  if (secret[secretSignature] !== undefined && secret.plaintext !== undefined) return JSON.parse(secret.plaintext);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, reveal(inner)]));
}

/** Reads a deployment as `pulumi stack export --show-secrets` prints it. */
export function viewOf(stack: string, exported: string): StackView {
  const { deployment } = JSON.parse(exported) as { deployment: Deployment };
  const resources = (deployment.resources ?? []).filter(({ type }) =>
    type.startsWith("pulumi-nodejs:dynamic/lambda-train:"),
  );
  const of = (name: string): Resource | undefined => resources.find(({ type }) => type.endsWith(`:${name}`));
  const props = (name: string): Readonly<Record<string, unknown>> => {
    const found = of(name);
    return reveal({ ...found?.inputs, ...found?.outputs }) as Record<string, unknown>;
  };
  const instance = of("Instance");
  const instanceProps = props("Instance");
  const results = props("Results");
  const { names, instanceIds, endpoint } = claimsIn(resources);
  const withAccess = ["Results", "Run", "Upload"].map(props).find(({ access }) => access !== undefined);
  return {
    stack,
    endpoint,
    claims: { names, instanceIds },
    instance:
      instance?.id === undefined
        ? undefined
        : {
            id: instance.id,
            type: String(instanceProps.instanceType),
            region: String(instanceProps.region),
            priceCents: Number(instanceProps.priceCentsPerHour),
            launchedAt: instanceProps.launchedAt as string | undefined,
            budgetDollars: instanceProps.budgetDollars as number | undefined,
          },
    access: withAccess?.access as SshAccess | undefined,
    run: results.run as RunPlan | undefined,
    evaluation: results.evaluation as EvaluationPlan | undefined,
    dashboard: props("Run").dashboard as DashboardPlan | undefined,
    workspace: results.workspace as string | undefined,
    resultsFolder: results.directory === undefined ? undefined : resolve(projectFolder(), results.directory as string),
    ...waitingIn(of("Standing")),
    progress: progressOf(deployment),
  };
}

/** A running run keeps its plan in force: the outputs hold that plan, the inputs the one that waits. */
function waitingIn(standing: Resource | undefined): Pick<StackView, "waits"> {
  const [inForce, asked] = [standing?.outputs?.plan, standing?.inputs?.plan].map(reveal);
  if (inForce === undefined || asked === undefined) return {};
  const waits = differences(standingOf(inForce as StandingPlan), standingOf(asked as StandingPlan));
  return waits.length === 0 ? {} : { waits };
}

function progressOf({ resources = [], pending_operations: begun = [] }: Deployment): StackProgress {
  const name = ({ urn }: Resource): string => urn.slice(urn.lastIndexOf("::") + 2);
  const done = resources.flatMap((resource) => {
    const first = Date.parse(resource.created ?? "");
    const last = Date.parse(resource.modified ?? resource.created ?? "");
    return Number.isNaN(first) ? [] : [[name(resource), { first, last }] as const];
  });
  return { done: Object.fromEntries(done), underWay: begun.map(({ resource }) => name(resource)) };
}

/** A stack whose instance can be spoken to. */
export type Reachable = StackView & {
  readonly access: SshAccess;
  readonly instance: NonNullable<StackView["instance"]>;
};

/** @throws CommandError where the stack has no instance to speak to. */
export function requireInstance(view: StackView): Reachable {
  const { access, instance, stack } = view;
  if (instance === undefined || access === undefined) {
    throw new CommandError(
      `Stack ${stack} has no instance in its state. \`npm run up\` launches one, or adopts what was launched.`,
      exitCodes.nothing,
    );
  }
  return { ...view, access, instance };
}

/** A stack with a run that was started, or is about to be. */
export type WithRun = Reachable & Required<Pick<StackView, "run" | "workspace" | "resultsFolder">>;

/** @throws CommandError where the stack has no run. */
export function requireRun(view: StackView): WithRun {
  const reachable = requireInstance(view);
  const { run, workspace, resultsFolder } = view;
  if (run === undefined || workspace === undefined || resultsFolder === undefined) {
    throw new CommandError(
      `Stack ${view.stack} has an instance, but no run yet. \`npm run up\` continues where it stopped.`,
      exitCodes.nothing,
    );
  }
  return { ...reachable, run, workspace, resultsFolder };
}

/** Where the stack's results are and go. */
export function resultsPlace(view: WithRun): ResultsPlace {
  const { access, instance, run, evaluation, workspace, resultsFolder } = view;
  return { instanceId: instance.id, access, run, evaluation, workspace, directory: resultsFolder };
}
