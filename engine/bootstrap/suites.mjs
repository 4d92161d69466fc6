import { Failure } from "./failure.mjs";

/**
 * Test suites of their own, each with its configuration of vitest. Their options are handed on as variables: vitest
 * takes no options but its own.
 */
export const suites = {
  "test:faults": {
    what: "the whole fault matrix: --kind fleet, --stage boot, --case <text>, --lanes 4, --seed 1, --soak-minutes 3, --resume",
    config: "test/faults/vitest.config.mts",
    env: { FAULTS: "all" },
    options: {
      "--kind": "FAULTS_KIND",
      "--stage": "FAULTS_STAGE",
      "--case": "FAULTS_CASE",
      "--lanes": "FAULTS_LANES",
      "--seed": "FAULTS_SEED",
      "--soak-minutes": "FAULTS_SOAK_MINUTES",
    },
    flags: { "--resume": "FAULTS_RESUME" },
  },
  "test:crash": {
    what: "random sequences of commands, cut at random: --sequences 300, --seed 1, --path 17, --lanes 4, --minutes 60, --shrink-minutes 10, --resume",
    config: "test/crash/vitest.config.mts",
    env: { CRASH: "all" },
    options: {
      "--sequences": "CRASH_SEQUENCES",
      "--seed": "CRASH_SEED",
      "--path": "CRASH_PATH",
      "--lanes": "CRASH_LANES",
      "--minutes": "CRASH_MINUTES",
      "--shrink-minutes": "CRASH_SHRINK_MINUTES",
    },
    flags: { "--resume": "CRASH_RESUME" },
  },
  "test:scale": {
    what: "a dataset of 655,620 files, results of 200,000 files and 9 GB, a hundred machines, with the memory of each process: --divisor 1, --time-scale 12",
    config: "test/scale/vitest.config.mts",
    env: { SCALE_DIVISOR: "1" },
    options: { "--divisor": "SCALE_DIVISOR", "--time-scale": "SCALE_TIME" },
  },
  "test:fleet": {
    what: "sweeps, trainings on several machines, Ray, resuming and the cache, with the rarer cases: [files or options of vitest]",
    config: "test/lifecycle/vitest.config.mts",
    env: { FLEET: "all" },
    options: {},
  },
  "test:foreign": {
    what: "ten repositories shaped like well-known ones, from up to down: --case <text>",
    config: "test/foreign/vitest.config.mts",
    env: { FOREIGN: "all" },
    options: { "--case": "FOREIGN_CASE" },
  },
};

/** Arguments of vitest for a suite, and the variables that carry the suite's own options. */
export function suiteCall(name, args) {
  const { config, env, options, flags = {} } = suites[name];
  const variables = { ...env };
  const rest = [];
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] in flags) {
      variables[flags[args[i]]] = "yes";
      continue;
    }
    const [option, inline] = args[i].split(/=(.*)/s);
    if (!(option in options)) {
      rest.push(args[i]);
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined) throw new Failure(`${option} needs a value.`);
    variables[options[option]] = value;
  }
  return { args: ["run", "--config", config, ...rest], env: variables };
}
