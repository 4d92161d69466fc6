import { heldLocks } from "./killed-cli";
import { pulumiOutput } from "./pulumi";

/** A stack of the backend, as `doctor` tells of it. */
export interface StackSummary {
  readonly name: string;
  readonly selected: boolean;
  readonly resources: number;
  /** When the last update ended (ISO 8601). Absent: there was none. */
  readonly updated?: string;
  /** Who works on it, or has left a lock behind. Absent: nobody. */
  readonly lock?: string;
}

/** Where the states are. */
export interface Backend {
  readonly url: string;
  readonly user: string;
  readonly stacks: readonly StackSummary[];
}

/** A row of `pulumi stack ls --json`. */
interface Listed {
  readonly name: string;
  readonly current: boolean;
  readonly lastUpdate?: string;
  readonly updateInProgress?: boolean;
  readonly resourceCount?: number;
}

/** Asks Pulumi where the project's states are, as whom, and which stacks there are. @throws Error in Pulumi's words */
export async function backendHere(): Promise<Backend> {
  const [who, listed] = await Promise.all([
    pulumiOutput(["whoami", "--verbose", "--json"]),
    pulumiOutput(["stack", "ls", "--json"]),
  ]);
  const { url, user } = JSON.parse(who) as { url: string; user: string };
  const stacks = (JSON.parse(listed) as readonly Listed[]).map(async (each) => ({
    name: each.name,
    selected: each.current,
    resources: each.resourceCount ?? 0,
    ...(each.lastUpdate !== undefined && { updated: each.lastUpdate }),
    ...(await lockOf(each)),
  }));
  return { url, user, stacks: await Promise.all(stacks) };
}

async function lockOf({ name, updateInProgress }: Listed): Promise<Pick<StackSummary, "lock">> {
  if (updateInProgress === true) return { lock: "an update is in progress" };
  const [first] = await heldLocks(name);
  if (first === undefined) return {};
  const { pid, username, hostname, timestamp, isHeld } = first;
  const holder = `${username ?? "somebody"} on ${hostname}, process ${pid}${timestamp === undefined ? "" : `, since ${timestamp}`}`;
  const remedy = "left by an update that was killed: the next `npm run up` or `npm run down` removes it";
  return { lock: isHeld ? `locked by ${holder}` : `lock of ${holder}, ${remedy}` };
}

/** The rows of a table of stacks. */
export function stackRows({ stacks }: Backend): string[][] {
  return stacks.map(({ name, selected, resources, updated, lock }) => [
    `${name}${selected ? " (selected)" : ""}`,
    `${resources} resources`,
    updated === undefined ? "no update yet" : `updated ${updated.slice(0, 16).replace("T", " ")} UTC`,
    lock ?? "not locked",
  ]);
}
