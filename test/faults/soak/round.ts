import fc from "fast-check";
import type { NewApiFault, NewInstanceFault, NewLinkFault } from "../../../emulator/admin/faults";
import type { ApiAction } from "../../../emulator/faults/model";
import type { World } from "../world";

/** A fault that can strike together with others. */
export type SoakFault =
  | { readonly at: "api"; readonly name: string; readonly fault: NewApiFault }
  | { readonly at: "instance"; readonly name: string; readonly fault: NewInstanceFault }
  | { readonly at: "link"; readonly name: string; readonly fault: NewLinkFault };

/** A command, and what happens while it runs. */
export type SoakCommand =
  | { readonly run: "up" | "refreshed up" | "down" }
  /** Ends `pulumi up` or `destroy` after so many milliseconds, with all that it started or alone. */
  | { readonly run: "killed"; readonly command: "up" | "destroy"; readonly afterMs: number; readonly family: boolean }
  /** The instance, if there is one by then, restarts after so many milliseconds of an `up`. */
  | { readonly run: "up on a restarting instance"; readonly afterMs: number };

/** What is done in one round: faults strike, commands meet them. */
export interface Round {
  readonly faults: readonly SoakFault[];
  readonly commands: readonly SoakCommand[];
}

const operations = [
  ...["listInstances", "getInstance", "listInstanceTypes", "launchInstance", "terminateInstance", "listSSHKeys"],
  ...["addSSHKey", "deleteSSHKey", "listRegions", "createFirewallRuleset", "deleteFirewallRuleset"],
];

const actions: readonly (ApiAction & { readonly name: string })[] = [
  { name: "429", answer: "rate-limited" },
  { name: "429 with Retry-After", answer: "rate-limited-json", retryAfter: 5 },
  { name: "500", answer: "server-error" },
  { name: "502", answer: "bad-gateway" },
  { name: "403 from the edge", answer: "blocked" },
  { name: "reset before", resetBefore: true },
  { name: "reset after", resetAfter: true },
  { name: "slow", delayMs: 1500 },
  { name: "unknown fields and nulls", extraFields: true, nulls: true },
];

const apiFault = fc
  .record({ operation: fc.constantFrom(...operations), action: fc.constantFrom(...actions), times: fc.nat(3) })
  .map(({ operation, action: { name, ...action }, times }): SoakFault => {
    return { at: "api", name: `${operation}: ${name}`, fault: { match: { operation }, times: times + 1, action } };
  });

/** Some calls fail, whichever they are. */
const weather = fc
  .record({ action: fc.constantFrom(...actions), percent: fc.integer({ min: 5, max: 40 }) })
  .map(({ action: { name, ...action }, percent }): SoakFault => {
    return { at: "api", name: `some calls: ${name}`, fault: { match: {}, probability: percent / 100, action } };
  });

const instanceFault = fc
  .constantFrom<NewInstanceFault["trouble"]>(
    { kind: "ssh-late", seconds: 600 },
    { kind: "stuck-booting" },
    { kind: "unhealthy" },
    { kind: "terminated", afterSeconds: 600 },
    { kind: "preempted", afterSeconds: 900 },
  )
  .map((trouble): SoakFault => {
    return { at: "instance", name: `instance: ${trouble.kind}`, fault: { match: {}, times: 1, trouble } };
  });

const linkFault = fc
  .constantFrom<NewLinkFault>(
    { match: {}, trouble: { kind: "drop-after", bytes: 20_000 }, times: 3 },
    { match: {}, trouble: { kind: "drop-after", bytes: 200_000 }, times: 2 },
    { match: {}, trouble: { kind: "throttle", bytesPerSecond: 200_000 } },
  )
  .map((fault): SoakFault => ({ at: "link", name: `link: ${fault.trouble.kind}`, fault }));

const command: fc.Arbitrary<SoakCommand> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<SoakCommand>({ run: "up" }, { run: "refreshed up" }, { run: "down" }) },
  {
    weight: 3,
    arbitrary: fc.record({
      run: fc.constant("killed" as const),
      command: fc.constantFrom("up" as const, "up" as const, "destroy" as const),
      afterMs: fc.integer({ min: 500, max: 15_000 }),
      family: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      run: fc.constant("up on a restarting instance" as const),
      afterMs: fc.integer({ min: 1000, max: 10_000 }),
    }),
  },
);

const round: fc.Arbitrary<Round> = fc.record({
  faults: fc.array(fc.oneof(apiFault, weather, instanceFault, linkFault), { minLength: 1, maxLength: 3 }),
  commands: fc.array(command, { minLength: 1, maxLength: 3 }),
});

/** The rounds of a seed: always the same, in the same order. */
export const roundsOf = (seed: number, count: number): readonly Round[] => fc.sample(round, { seed, numRuns: count });

/** Lets a fault strike. */
export async function strike({ cloud: { admin } }: World, struck: SoakFault): Promise<void> {
  if (struck.at === "api") await admin.addApiFault(struck.fault);
  else if (struck.at === "instance") await admin.addInstanceFault(struck.fault);
  else await admin.addLinkFault(struck.fault);
}
