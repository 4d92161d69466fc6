/**
 * What a training takes: the keys of a stack file (docs/reference/stack-file.md), which it doesn't read. API keys come
 * from `LAMBDA_API_KEY` or the secret `lambda-train:apiKey` of your stack, values of `environment.secrets` from its
 * `lambda-train:secrets`.
 */
export interface TrainingArgs {
  /** Path of an experiment file, relative to the project. */
  readonly experiment: string;
  /** Overrides the name in the experiment file. */
  readonly experimentName?: string;
  /** Acceptable instance types, best first. */
  readonly instanceTypes: readonly string[];
  /** Acceptable regions, best first. Default: the region of `fileSystem`. */
  readonly regions?: readonly string[];
  /** API base URL, or `emulated`. Default: Lambda. */
  readonly endpoint?: string;
  /** Number of instances. Default: 1, or as many as `train.nodes` says. */
  readonly instances?: number;
  readonly imageFamily?: string;
  /** Lambda file system to attach. */
  readonly fileSystem?: string;
  readonly createFileSystem?: boolean;
  /** Minutes to wait for capacity. Default: 60. */
  readonly capacityTimeoutMinutes?: number;
  readonly bootTimeoutMinutes?: number;
  /** Networks that may open SSH. Default: `auto`, the address from which `pulumi up` runs. */
  readonly sshSources?: "auto" | readonly string[];
  /** Public SSH keys of yours that may log in too. */
  readonly recoveryKeys?: readonly string[];
  readonly sshPort?: number;
  /** Dollars that the training may cost. */
  readonly budgetDollars?: number;
  /** Hours that you expect it to take, for the forecast. */
  readonly expectedHours?: number;
  /** Highest acceptable price in dollars per hour. */
  readonly maxPricePerHour?: number;
  /** Protect the instances. Default: false. */
  readonly protect?: boolean;
  /** Whether the instance terminates itself. Default: `false`. */
  readonly selfTerminate?: "false" | "true" | "lose-results";
  readonly selfTerminateAfterMinutes?: number;
}
