import { isAbsolute, join, relative } from "node:path";
import { projectFolder } from "../../local/paths";
import { bucketFor, resultsBucket } from "../../plan/bucket";
import { readExperiment } from "../../plan/experiment";
import { findSecrets, secretsConfig, secretsOf } from "../../plan/secrets";
import { downloadFromBucket, type FromBucket } from "../../remote/bucket/at-home";
import { runsInBucket } from "../../remote/bucket/runs";
import { filesText } from "../../remote/written";
import { ofEach } from "../stack/of-each";
import { pulumiOutput, rawStackConfig, stackFileConfig } from "../stack/pulumi";
import { CommandError, exitCodes } from "../terminal/command";
import { printing } from "../terminal/listener";

/**
 * `results --from-bucket`: the newest results of the stack's experiment, by what its files tell: of all trials of a sweep, and
 * of all ranks. Needs no instance.
 */
export async function bringFromBucket(stack: string): Promise<number> {
  const { experiment: file, experimentName } = stackFileConfig(stack);
  if (file === undefined) throw new CommandError(`Stack ${stack} names no experiment file.`, exitCodes.usage);
  const read = readExperiment(isAbsolute(file) ? file : join(projectFolder(), file));
  const experiment = { ...read, experiment: experimentName ?? read.experiment };
  const bucket = resultsBucket(experiment, stack);
  if (bucket === undefined)
    throw new CommandError(`${file} names no results.bucket, so nothing is in one.`, exitCodes.usage);
  const configured =
    rawStackConfig(stack).secrets === undefined
      ? undefined
      : await pulumiOutput(["config", "get", secretsConfig, "--stack", stack]);
  const { values } = findSecrets(secretsOf(experiment.environment.secrets), {
    environment: process.env,
    configured,
  });
  const directory = join(projectFolder(), experiment.results.directory, stack);
  const parts = { isSweep: experiment.sweep !== undefined, isTogether: experiment.train.nodes > 1 };
  const names = await runsInBucket(bucket, values, parts);
  const found = await printing(console.log, (listener) =>
    ofEach(names, async (name) => {
      const home = await downloadFromBucket(bucketFor(bucket, name), values, join(directory, name), listener);
      // What fails for another must not hide what came.
      if (home !== undefined) listener.progress?.(toldOf(home));
      return home;
    }),
  );
  if (found.every((each) => each === undefined))
    throw new CommandError(`${bucket.url} holds no results of ${experiment.experiment}.`, exitCodes.nothing);
  return exitCodes.ok;
}

function toldOf({ folder, url, files, bytes }: FromBucket): string {
  return `${filesText(files, bytes)} verified in ${relative(process.cwd(), folder)}, from ${url}`;
}
