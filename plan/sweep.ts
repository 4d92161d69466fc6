import { z } from "zod";

/** Name of a swept value: of a placeholder, or the path of a key in the config. */
const name = z
  .string()
  .regex(
    /^[A-Za-z_][\w-]*(?:\.[A-Za-z0-9_][\w-]*)*$/,
    "must be the name of a placeholder, or the path of a key in the config as optimizer.lr",
  );
const value = z.unknown();
const number = z.number({ error: "must be a number" });
const whole = (least: number) =>
  z.number({ error: "must be a whole number" }).int("must be a whole number").min(least, `must be ${least} or more`);

/** What `search` may try for one name. */
const parameter = z
  .strictObject({
    choices: z.array(value).min(1, "must hold a value or more").optional().describe("Values to choose from."),
    low: number.optional().describe("Least value."),
    high: number.optional().describe("Greatest value, itself included."),
    log: z
      .boolean({ error: "must be true or false" })
      .optional()
      .describe("Whether values are drawn by their logarithm."),
    step: number.positive("must be above 0").optional().describe("Distance between two values. Not with `log`."),
    int: z.boolean({ error: "must be true or false" }).optional().describe("Whether values are whole numbers."),
  })
  .superRefine(({ choices, low, high, log, step, int }, context) => {
    const refuse = (message: string, ...path: string[]) => context.addIssue({ code: "custom", path, message });
    if (choices !== undefined) {
      if ([low, high, log, step, int].some((each) => each !== undefined)) {
        refuse("has choices, so low, high, log, step and int have no meaning. Remove them, or choices");
      }
      return;
    }
    if (low === undefined || high === undefined) return refuse("must have choices, or low and high");
    if (low > high) refuse(`must be ${low} (low) or more`, "high");
    if (log === true && low <= 0) refuse("must be above 0 with log: true", "low");
    if (log === true && step !== undefined) refuse("can't go with log: true", "step");
    if (int === true && ![low, high, step ?? 1].every(Number.isInteger)) {
      refuse("has int: true, so low, high and step must be whole numbers");
    }
  });

const pruners = ["median", "hyperband"] as const;
const prune = z
  .union(
    [
      z.enum(pruners),
      z.strictObject({
        by: z.enum(pruners),
        startupTrials: whole(0).optional(),
        warmupSteps: whole(0).optional(),
        intervalSteps: whole(1).optional(),
        minTrials: whole(1).optional(),
        minResource: whole(1).optional(),
        maxResource: z.union([whole(1), z.literal("auto")]).optional(),
        reductionFactor: whole(2).optional(),
        bootstrapCount: whole(0).optional(),
      }),
    ],
    {
      error:
        "must be median, hyperband, or one of them with its settings: {by: median, startupTrials, warmupSteps, " +
        "intervalSteps, minTrials} or {by: hyperband, minResource, maxResource, reductionFactor, bootstrapCount}",
    },
  )
  .nullable();

/** The key `sweep` of an experiment file. */
export const sweepSchema = z
  .strictObject({
    grid: z
      .record(name, z.array(value).min(1, "must hold a value or more"))
      .optional()
      .describe("Name → list of values. A trial runs for each combination, the last name's values first."),
    list: z
      .array(z.record(name, value))
      .min(1, "must hold a trial or more")
      .optional()
      .describe("The values of each trial: a list of maps, name → value."),
    search: z
      .record(name, parameter)
      .optional()
      .describe(
        "Name → what Optuna may try: `{low, high}` with `log`, `step` and `int` as needed, or `{choices: […]}`. Needs `trials`.",
      ),
    sampler: z
      .enum(["tpe", "random"], { error: "must be tpe or random" })
      .default("tpe")
      .describe(
        "How `search` chooses: `tpe` learns from the trials that have ended, `random` doesn't. With one `seed`, `random` " +
          "always tries the same values; `tpe` does if trials end in the same order.",
      ),
    trials: whole(1)
      .optional()
      .describe("Trials of a `search`, failed and pruned ones included. Raise it to add more."),
    seed: whole(0).default(0).describe("Seed of a `search`."),
    metric: z
      .string({ error: "must be the name of a metric" })
      .min(1, "must be the name of a metric")
      .describe(
        "Metric that tells how good a trial is. It's looked for in the evaluation's JSON files by its dotted name, then in " +
          "the log and in metric files, where its last value counts.",
      ),
    direction: z
      .enum(["minimize", "maximize"], { error: "must be minimize or maximize" })
      .default("minimize")
      .describe("Whether less or more of the metric is better."),
    prune: prune
      .default(null)
      .describe(
        "Stops trials early that do worse than others: Optuna's `median` or `hyperband` over the metric's values in the log. " +
          "`{by: median, startupTrials: 5}` sets what Optuna calls `n_startup_trials`. null: every trial trains to its end.",
      ),
    retries: whole(0).default(1).describe("How often a trial that has failed runs again."),
    gpusPerRun: whole(1)
      .optional()
      .describe(
        "GPUs that a trial gets. A machine runs as many trials at a time as its GPUs allow. Default: all GPUs.",
      ),
    runsPerMachine: whole(1)
      .optional()
      .describe(
        "Trials that a machine runs at a time, which divide its GPUs, or share them if they are more. Not with `gpusPerRun`. " +
          "Default: 1.",
      ),
  })
  .superRefine((sweep, context) => {
    const refuse = (message: string, ...path: string[]) => context.addIssue({ code: "custom", path, message });
    const kinds = (["grid", "list", "search"] as const).filter((kind) => sweep[kind] !== undefined);
    if (kinds.length !== 1) {
      refuse(
        `must have exactly one of grid, list and search${kinds.length === 0 ? "" : `, and has ${kinds.join(", ")}`}`,
      );
    }
    if (sweep.search !== undefined && sweep.trials === undefined) refuse("must be set with search", "trials");
    if (sweep.search === undefined && sweep.trials !== undefined) {
      refuse("goes with search alone: a grid and a list say themselves how many trials there are", "trials");
    }
    if (sweep.gpusPerRun !== undefined && sweep.runsPerMachine !== undefined) {
      refuse("can't go with gpusPerRun: GPUs and gpusPerRun tell how many runs fit a machine", "runsPerMachine");
    }
    for (const kind of kinds) {
      const names = Array.isArray(sweep[kind])
        ? sweep[kind].flatMap((each) => Object.keys(each))
        : Object.keys(sweep[kind] ?? {});
      if (names.length === 0) refuse("must name a value or more", kind);
    }
  })
  .optional()
  .describe(
    "Runs the experiment with other values, one trial for each choice of them. A name fills its `{name}` in train.command, " +
      "train.resume, evaluate.command and the values of train.variables; a name that stands in none of them is the path of a " +
      "key in the config, as `optimizer.lr`. `{trial}` is the trial's number.",
  );

/** A sweep after validation. */
export type Sweep = NonNullable<z.infer<typeof sweepSchema>>;
