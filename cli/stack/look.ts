import { type Stray, straysAmong } from "../../lambda/account/strays";
import type { Cloud } from "../../lambda/api/connect";
import type { FileSystem } from "../../lambda/api/schemas";
import { mayStillShow } from "../../lambda/launch/launcher";
import { type MaintenanceEvent, maintenanceOf } from "../../lambda/life/maintenance";
import { isGone, statusOrGone } from "../../lambda/life/presence";
import { isYoung } from "../../lambda/life/young";
import { readStatus } from "../../remote/run";
import { type SshSession, withSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { noteGone, noteStatus } from "./endings";
import { connectStack } from "./stack-cloud";
import type { JobView, MachineView, StackView } from "./stack-view";

/** What the API shows of a stack. */
export interface AccountLook {
  /**
   * Status of each machine's instance in words, by the machine's name: `none` without one, `gone` where it does not exist
   * any more, and why it is not known.
   */
  readonly statuses: Readonly<Record<string, string>>;
  /** Instances that carry a unique name of the stack, and that its state does not know. */
  readonly strays: readonly Stray[];
  /** Lambda's maintenance that is ahead of each machine's instance, by the machine's name. */
  readonly maintenance: Readonly<Record<string, readonly MaintenanceEvent[]>>;
  /** Why it cannot be told whether something is billed for a machine of which the state knows no instance. */
  readonly unknown?: string;
  /** The stack's file systems. Absent: it has none, or they weren't asked for. */
  readonly fileSystems?: readonly FileSystem[];
  /** By how many milliseconds the API's clock is ahead of this machine's. */
  readonly aheadMs: number;
}

/** What is known of an account that was not asked. */
export const notAsked: AccountLook = { statuses: {}, strays: [], maintenance: {}, aheadMs: 0 };

/**
 * Asks the API for the stack's instances: by the ids in the state, and by the names that it may have launched under.
 * @param rent Asks for its file systems as well, which takes a call of its own.
 */
export async function lookAtAccount(view: StackView, { rent = false } = {}): Promise<AccountLook> {
  // Before there is a claim nothing can have been launched.
  const isNothing = ({ instance, claims }: MachineView): boolean => instance === undefined && !claims?.names.length;
  if (view.machines.every(isNothing)) return notAsked;
  const reading = readAccount(view, rent);
  let unknown: string | undefined;
  const looks = view.machines.map(async (machine) => {
    const status = await reading
      .then((account) => statusOf(machine, account))
      .catch(({ message }: Error) => {
        if (machine.instance === undefined) unknown ??= message;
        return `unknown (${message})`;
      });
    return [machine.machine, status] as const;
  });
  const statuses = Object.fromEntries(await Promise.all(looks));
  for (const { machine, instance } of view.machines) if (isGone(statuses[machine])) noteGone(view.stack, instance?.id);
  const { strays, aheadMs, maintenance, fileSystems } = await reading
    .then(async (account) => ({ ...account, maintenance: await maintenanceIn(account.cloud, view, statuses) }))
    .catch((): Omit<AccountLook, "statuses"> => notAsked);
  return { statuses, strays, maintenance, unknown, ...(fileSystems && { fileSystems }), aheadMs };
}

/** Maintenance that is ahead of the instances of a stack, by their machines. Never fails. */
export async function maintenanceIn(
  cloud: Cloud,
  { machines }: Pick<StackView, "machines">,
  statuses: AccountLook["statuses"] = {},
): Promise<AccountLook["maintenance"]> {
  const found: Record<string, readonly MaintenanceEvent[]> = {};
  for (const { machine, instance } of machines) {
    if (instance === undefined || isGone(statuses[machine])) continue;
    const events = await maintenanceOf(cloud, instance.id);
    if (events.length > 0) found[machine] = events;
  }
  return found;
}

/** What is read once for all machines. */
async function readAccount(view: StackView, rent: boolean) {
  const cloud = await connectStack(view);
  const hasFileSystem = rent && view.machines.some(({ fileSystem }) => fileSystem !== undefined);
  const [listed, fileSystems] = await Promise.all([
    cloud.client.listInstances(),
    // Their rent is no reason to go without the rest.
    hasFileSystem ? cloud.client.listFileSystems().catch(() => undefined) : undefined,
  ]);
  const claims = view.machines.flatMap((machine) => machine.claims ?? []);
  const names = claims.flatMap((each) => each.names);
  const strays = straysAmong(listed, { names, instanceIds: claims.flatMap((each) => each.instanceIds) });
  return { cloud, listed, fileSystems, strays, aheadMs: cloud.clock.date() - Date.now() };
}

/** @throws Error that says why the status is not known */
async function statusOf(
  { instance, access, claims }: MachineView,
  { cloud, listed, strays }: Awaited<ReturnType<typeof readAccount>>,
): Promise<string> {
  if (instance === undefined) {
    const sent = claims?.names.find((name) => mayStillShow(cloud, name));
    if (sent === undefined || strays.some(({ name }) => claims?.names.includes(name))) return "none";
    throw new Error(`a launch of ${sent} was sent a moment ago, and may still come through`);
  }
  const status = await statusOrGone(cloud, instance, access?.privateKey, listed);
  if (status !== undefined) return status;
  throw new Error(
    isYoung(cloud, instance.launchedAt)
      ? "the API does not show it yet"
      : "the API key seems to belong to another workspace",
  );
}

/** The date by the API, as far as a look has told it, in milliseconds since the epoch. */
export function dateOf({ aheadMs }: AccountLook): number {
  return Date.now() + aheadMs;
}

/** Whether a look has seen that a machine's instance has ended, or is about to. Not known is no. */
export function sawGone(account: AccountLook, { machine }: Pick<MachineView, "machine">): boolean {
  return isGone(statusText(account, { machine }));
}

/** Status of a machine's instance, see {@link AccountLook}. */
export function statusText({ statuses }: AccountLook, { machine }: Pick<MachineView, "machine">): string {
  return statuses[machine] ?? "none";
}

/** Status of a run by its files on the instance: undefined without a run, or why they cannot be read. */
export function runStatus(job: JobView): Promise<RunStatus | undefined | { readonly reason: string }> {
  return askRun(job, async (session, experiment) => {
    const status = await readStatus(session, experiment);
    noteStatus(job, status);
    return status;
  });
}

/** Asks the instance about a run, over a connection of its own: undefined without a run, or why there is no answer. */
export async function askRun<T>(
  { access, run }: JobView,
  ask: (session: SshSession, experiment: string) => Promise<T>,
): Promise<T | undefined | { readonly reason: string }> {
  if (access === undefined || run === undefined) return undefined;
  try {
    return await withSession(access, (session) => ask(session, run.experiment));
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
