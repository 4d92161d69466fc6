import type { ApiAction } from "../../../../emulator/faults/model";
import type { Ended } from "../../../support/project";
import type { FaultCase, Stage } from "../../case";
import type { World } from "../../world";

/**
 * How the client treats a call. `read` and `delete` are repeated whatever befell them; `terminate` after a look at the
 * instance; `add` only where it was certainly not done; `launch` is looked for by its name before it is repeated.
 */
type Manner = "read" | "delete" | "terminate" | "add" | "launch";

/** A call that a fault can meet, and the command that makes it. */
interface Struck {
  readonly stage: Stage;
  readonly operation: string;
  readonly manner: Manner;
  readonly command: "up" | "down" | "refresh";
}

const calls: readonly Struck[] = [
  { stage: "check", operation: "listInstanceTypes", manner: "read", command: "up" },
  { stage: "check", operation: "listRegions", manner: "read", command: "up" },
  { stage: "claim", operation: "addSSHKey", manner: "add", command: "up" },
  { stage: "claim", operation: "createFirewallRuleset", manner: "add", command: "up" },
  { stage: "launch", operation: "launchInstance", manner: "launch", command: "up" },
  { stage: "boot", operation: "getInstance", manner: "read", command: "up" },
  { stage: "refresh", operation: "listInstances", manner: "read", command: "refresh" },
  { stage: "terminate", operation: "terminateInstance", manner: "terminate", command: "down" },
  { stage: "terminate", operation: "deleteSSHKey", manner: "delete", command: "down" },
  { stage: "terminate", operation: "deleteFirewallRuleset", manner: "delete", command: "down" },
];

/** What befalls a call, and what must come of it: undefined where it is ridden out, else the message. */
interface Befalls {
  readonly fault: string;
  readonly action: ApiAction;
  /** How many calls in a row. Default: all. */
  readonly times?: number;
  readonly told: (manner: Manner) => RegExp | undefined;
}

const never = (): undefined => undefined;
const unclear = /unclear whether it was executed .*look for its name before trying again/;
const terminating = /after it was told to terminate .*It may still be billed: run `destroy` again/;

/** What is not repeated blindly is told of where the answer leaves it open whether it was done. */
const whereAdded = (manner: Manner): RegExp | undefined => (manner === "add" ? unclear : undefined);

/** What is struck at every call. */
const everywhere: readonly Befalls[] = [
  { fault: "429 as text, twice", action: { answer: "rate-limited" }, times: 2, told: never },
  { fault: "502 as HTML, twice", action: { answer: "bad-gateway" }, times: 2, told: whereAdded },
  { fault: "done, and its answer lost", action: { resetAfter: true }, times: 1, told: never },
  {
    fault: "500 without end",
    action: { answer: "server-error" },
    told: (manner) => {
      if (manner === "terminate") return terminating;
      return manner === "add" || manner === "launch" ? unclear : /500 global\/unknown: .*Lambda has a problem/;
    },
  },
];

/** What the client treats alike in all calls of a manner, and is struck at the first of each. */
const oncePerManner: readonly Befalls[] = [
  { fault: "500, twice", action: { answer: "server-error" }, times: 2, told: whereAdded },
  { fault: "reset before it is taken", action: { resetBefore: true }, times: 1, told: whereAdded },
  { fault: "unknown fields in the answer", action: { extraFields: true }, told: never },
  {
    fault: "403 error code: 1010 from the edge",
    action: { answer: "blocked" },
    told: () => /an answer that is not the API's \(403\): error code: 1010\. .*check the endpoint, proxies and VPNs/,
  },
  {
    fault: "429 without end",
    action: { answer: "rate-limited" },
    told: (manner) => (manner === "terminate" ? terminating : /429, too many calls\. .*run again later/),
  },
];

/** Faults that mean something for some calls alone. */
const more: readonly (Befalls & { readonly of: readonly string[] })[] = [
  {
    of: ["listInstanceTypes", "launchInstance"],
    fault: "429 as JSON, twice",
    action: { answer: "rate-limited-json" },
    times: 2,
    told: never,
  },
  {
    of: ["listInstanceTypes", "launchInstance"],
    fault: "429 with Retry-After, twice",
    action: { answer: "rate-limited-json", retryAfter: 20 },
    times: 2,
    told: never,
  },
  {
    of: ["listInstanceTypes", "addSSHKey", "launchInstance", "terminateInstance"],
    fault: "done only after the client's patience is over",
    action: { delayMs: 12_000 },
    times: 1,
    told: never,
  },
  {
    of: ["getInstance", "listInstances"],
    fault: "null for what is not there",
    action: { nulls: true },
    told: never,
  },
  {
    of: ["getInstance", "listInstances"],
    fault: "a status that nobody knows, for a while",
    action: { showStatus: "migrating" },
    times: 3,
    told: never,
  },
];

/** Every call with what can befall it. */
export const callCases: readonly FaultCase[] = calls.flatMap((call) => {
  const isFirst = calls.find(({ manner }) => manner === call.manner) === call;
  const special = more.filter(({ of }) => of.includes(call.operation));
  return [...everywhere, ...(isFirst ? oncePerManner : []), ...special].map((fault) => caseOf(call, fault));
});

function caseOf({ stage, operation, manner, command }: Struck, befalls: Befalls): FaultCase {
  const { action, times, told } = befalls;
  const fault = `${operation}: ${befalls.fault}`;
  const message = told(manner);
  return {
    kind: "api",
    stage,
    fault,
    before: command === "up" ? undefined : (world) => world.fine(world.up()),
    inject: ({ cloud }) => cloud.admin.addApiFault({ match: { operation }, times, action }),
    act: (world) => ({ up: () => world.up(), down: () => world.down(), refresh: () => world.refresh() })[command](),
    outcome: message === undefined ? "ridden out" : "told",
    message,
    after: (world, ended) => expectStruck(world, ended, operation),
    inDefault: fault === "launchInstance: done, and its answer lost",
  };
}

/** A fault that struck nothing would show nothing. */
async function expectStruck({ cloud }: World, { output }: Ended, operation: string): Promise<void> {
  const { api } = await cloud.admin.faults();
  if (!api.some(({ match, fired }) => match.operation === operation && fired > 0))
    throw new Error(`The command never called ${operation}:\n${output}`);
}
