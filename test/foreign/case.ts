/** A small repository that is shaped like a well-known kind of public ones, and what must come of its training. */
export interface ForeignCase {
  /** Its folder in test/fixtures/foreign. The experiment and the workspace on the instance have this name too. */
  readonly name: string;
  /** What it is shaped like. */
  readonly like: string;
  /** What a user writes into the experiment file, beyond what all of them say: see `experimentOf`. */
  readonly experiment: Readonly<Record<string, object>>;
  /** The line of the log by which `up` knows that it trains. */
  readonly firstStep: string | RegExp;
  /** What `status --json` shows of the training at its end. */
  readonly progress: {
    readonly axis: "step" | "epoch";
    readonly at: number;
    readonly values: Readonly<Record<string, number>>;
  };
  /** All that must be home, but for what the stack itself puts there. */
  readonly home: readonly Place[];
  /** Patterns of all that setup and training wrote besides: it must stay. Relative to the home folder, or absolute. */
  readonly stays: readonly string[];
  /** Folders of which everything is root's alone when training has ended, in the same form, and what `down` says of each. */
  readonly closed?: Readonly<Record<string, string>>;
  /** Part of the sample that the default test run takes. */
  readonly inDefault?: boolean;
}

/** Files that come home from one place. In their patterns `*` stands for any part of a name, `**` for any path. */
export interface Place {
  /** Folder on the instance: relative to the home folder, or absolute. */
  readonly from: string;
  /** Folder below the results at home: empty for the results themselves. */
  readonly to: string;
  /** Each pattern must match. */
  readonly files: readonly string[];
}

export const nameOf = ({ name, like }: Pick<ForeignCase, "name" | "like">): string => `${name} · ${like}`;

/** Emulated instances have no GPU, and to import torch takes seconds. */
const gate = { gpu: "optional", minDiskGiB: 0, modules: [] };

/** The whole experiment file. These repositories have no config that the stack would know, and nothing but training. */
export function experimentOf({ name, experiment }: ForeignCase): object {
  return {
    experiment: name,
    gate,
    evaluate: null,
    dashboard: null,
    ...experiment,
    workload: { source: name, ...experiment.workload },
    environment: { setup: null, ...experiment.environment },
    train: { config: null, ...experiment.train },
  };
}
