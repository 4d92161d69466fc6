import fc from "fast-check";

/** What of the configuration an `up` finds changed. Shrinking goes towards the first of each. */
export const choices = {
  /** Two that train for hours, and one that is over in a second. */
  experiment: ["long-1", "long-2", "short"],
  instanceType: ["cpu_4x_general", "gpu_1x_a10"],
  region: ["us-east-1", "us-west-1"],
  /** Seconds of a training step, by `train.overrides`. */
  pace: [0.1, 0.11],
  /** What the workload's code says. */
  code: [0, 1, 2],
} as const;

/** The configuration that the user wants now. */
export type Wanted = { [K in keyof typeof choices]: (typeof choices)[K][number] };

/** The configuration of a new sequence. */
export const firstWanted: Wanted = {
  experiment: "long-1",
  instanceType: "cpu_4x_general",
  region: "us-east-1",
  pace: 0.1,
  code: 0,
};

/** Who is hit: the CLI alone, it and all below it, the language host, the process of the dynamic resources. */
export type Target = "cli" | "everything" | "language host" | "provider";

/**
 * When: at a part of the events that the engine will tell of, after the nth call that the API got, or at a part of the
 * usual time. Percent.
 */
export type Moment = { readonly events: number } | { readonly calls: number } | { readonly time: number };

/** How an operation is cut short. */
export type Cut = { readonly moment: Moment } & (
  | { readonly how: "kill"; readonly target: Target }
  | { readonly how: "interrupt"; readonly times: 1 | 2 }
);

/** Calls whose answer is lost after they were executed, once. */
export type LostAnswer = "launchInstance" | "addSSHKey" | "createFirewallRuleset" | "terminateInstance";

/** One thing that happens to a stack. `direct`: by the CLI itself rather than by the operator command. */
export type Operation =
  | {
      readonly kind: "up";
      readonly change?: Partial<Wanted>;
      readonly lost?: LostAnswer;
      readonly cut?: Cut;
      readonly direct: boolean;
    }
  | { readonly kind: "refresh"; readonly cut?: Cut }
  | { readonly kind: "down"; readonly lost?: LostAnswer; readonly cut?: Cut; readonly direct: boolean }
  /** Somebody else ends the instance. */
  | { readonly kind: "terminate" };

const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

const moment: fc.Arbitrary<Moment> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ events: whole(0, 100) }) },
  { weight: 1, arbitrary: fc.record({ calls: whole(1, 8) }) },
  { weight: 2, arbitrary: fc.record({ time: whole(0, 100) }) },
);

const target: fc.Arbitrary<Target> = fc.oneof(
  { weight: 4, arbitrary: fc.constant("cli" as const) },
  { weight: 3, arbitrary: fc.constant("everything" as const) },
  { weight: 1, arbitrary: fc.constant("language host" as const) },
  { weight: 2, arbitrary: fc.constant("provider" as const) },
);

const cut: fc.Arbitrary<Cut> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ how: fc.constant("kill" as const), target, moment }) },
  {
    weight: 1,
    arbitrary: fc.record({
      how: fc.constant("interrupt" as const),
      times: fc.constantFrom(1 as const, 2 as const),
      moment,
    }),
  },
);

/** Cut in `percent` of all cases, and by shrinking not at all. */
const cutIn = (percent: number): fc.Arbitrary<Cut | undefined> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 100 - percent, arbitrary: fc.constant(undefined) },
    { weight: percent, arbitrary: cut },
  );

const lostIn = (percent: number, ...calls: LostAnswer[]): fc.Arbitrary<LostAnswer | undefined> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 100 - percent, arbitrary: fc.constant(undefined) },
    { weight: percent, arbitrary: fc.constantFrom(...calls) },
  );

const change: fc.Arbitrary<Partial<Wanted>> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ experiment: fc.constantFrom(...choices.experiment) }) },
  { weight: 2, arbitrary: fc.record({ instanceType: fc.constantFrom(...choices.instanceType) }) },
  { weight: 2, arbitrary: fc.record({ region: fc.constantFrom(...choices.region) }) },
  { weight: 2, arbitrary: fc.record({ code: fc.constantFrom(...choices.code) }) },
  { weight: 1, arbitrary: fc.record({ pace: fc.constantFrom(...choices.pace) }) },
);

const launching = lostIn(12, "launchInstance", "addSSHKey", "createFirewallRuleset");

const up = (cutPercent: number): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant("up" as const), lost: launching, cut: cutIn(cutPercent), direct: fc.boolean() });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: up(45) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("up" as const),
      change,
      lost: launching,
      cut: cutIn(50),
      direct: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("refresh" as const), cut: cutIn(35) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("down" as const),
      lost: lostIn(10, "terminateInstance"),
      cut: cutIn(70),
      direct: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "terminate" as const }) },
);

/** What happens to a stack before it is destroyed: an `up`, most often cut short, and one to four more. */
export const sequences: fc.Arbitrary<Operation[]> = fc
  .tuple(up(65), fc.array(operation, { minLength: 1, maxLength: 4, size: "max" }))
  .map(
    ([first, rest]) => [first, ...rest],
    (operations) => {
      const [first, ...rest] = operations as Operation[];
      if (first?.kind !== "up") throw new Error("A sequence begins with up.");
      return [first, rest];
    },
  );

function momentText(at: Moment): string {
  if ("events" in at) return `at ${at.events} % of its events`;
  if ("calls" in at) return `after ${at.calls} API calls`;
  return `at ${at.time} % of its usual time`;
}

/** One line for people. */
export function describeOperation(each: Operation): string {
  if (each.kind === "terminate") return "somebody terminates the instance";
  const { kind, cut: short } = each;
  const changes = kind === "up" ? Object.entries(each.change ?? {}).map(([key, value]) => ` with ${key} ${value}`) : [];
  const lost = kind !== "refresh" && each.lost !== undefined ? [`, the answer to ${each.lost} is lost`] : [];
  const ended = short === undefined ? [] : [`, ${cutText(short)}`];
  const how = kind !== "refresh" && each.direct ? "pulumi " : kind === "refresh" ? "pulumi " : "npm run ";
  return [how, kind, ...changes, ...lost, ...ended].join("");
}

function cutText(short: Cut): string {
  return `${cutName(short)} ${momentText(short.moment)}`;
}

/** How it is cut, for people. */
export function cutName(short: Cut): string {
  if (short.how === "kill") return `kill -9 of ${targetNames[short.target]}`;
  return short.times === 1 ? "Ctrl-C" : "Ctrl-C twice";
}

const targetNames: Record<Target, string> = {
  cli: "the CLI",
  everything: "the CLI and all below it",
  "language host": "the language host",
  provider: "the provider",
};
