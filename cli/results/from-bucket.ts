import { isAbsolute, join, relative } from "node:path";
import { projectFolder } from "../../local/paths";
import { resultsBucket } from "../../plan/bucket";
import { readExperiment } from "../../plan/experiment";
import { findSecrets, secretsConfig, secretsOf } from "../../plan/secrets";
import { downloadFromBucket } from "../../remote/bucket/at-home";
import { filesText } from "../../remote/written";
import { pulumiOutput, rawStackConfig, stackFileConfig } from "../stack/pulumi";
import { CommandError, exitCodes } from "../terminal/command";
import { printing } from "../terminal/listener";

/** `results --from-bucket`: the newest results of the stack's experiment, by what its files tell. Needs no instance. */
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
  const final = join(projectFolder(), experiment.results.directory, stack, experiment.experiment);
  const found = await printing(console.log, (listener) => downloadFromBucket(bucket, values, final, listener));
  if (found === undefined)
    throw new CommandError(`${bucket.url} holds no results of ${experiment.experiment}.`, exitCodes.nothing);
  const shown = relative(process.cwd(), found.folder);
  console.log(`${filesText(found.files, found.bytes)} verified in ${shown}, from ${found.url}`);
  return exitCodes.ok;
}
