import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { utils } from "ssh2";
import { hostKeyTag } from "../../lambda/account/tags";
import type { Cloud } from "../../lambda/api/connect";
import type { Instance } from "../../lambda/api/schemas";
import { projectFolder } from "../../local/paths";
import { makePlan } from "../../plan/plan";
import { jobsOf } from "../../plan/types";
import type { ResultsPlace } from "../../remote/results";
import { CommandError, exitCodes } from "../terminal/command";
import { stackFileConfig } from "./pulumi";

/**
 * Where the results of an instance are that no state knows, a place for each experiment: its address from the API, its
 * host key and experiments from its tags, the rest from the stack's file and experiment file as they are now. The key to
 * it is the user's own.
 * @throws CommandError where one of them is missing; PlanError where the files are wrong.
 */
export async function placesOfLost(
  { endpoint }: Cloud,
  instance: Instance,
  stack: string,
  identity: string,
): Promise<ResultsPlace[]> {
  const { id, ip, tags } = instance;
  const hostKey = tags[hostKeyTag];
  if (ip === undefined || hostKey === undefined) {
    const missing =
      ip === undefined ? "address" : `tag ${hostKeyTag}, so it can't be distinguished from another machine`;
    throw new CommandError(`Instance ${id} has no ${missing}.`);
  }
  const config = stackFileConfig(stack);
  const configs = tags.experiment?.split(" ").map((experimentName) => ({ ...config, experimentName })) ?? [config];
  const places: ResultsPlace[] = [];
  for (const each of configs) {
    const [job] = jobsOf(await makePlan(stack, each));
    if (job === undefined) throw new CommandError(`The configuration of stack ${stack} names no run.`, exitCodes.usage);
    const { run, evaluation, workload, results, cloud } = job;
    const port = cloud.sshPort ?? endpoint.sshPort;
    places.push({
      instanceId: id,
      access: { host: ip, port, user: "ubuntu", privateKey: privateKeyIn(identity), hostKey },
      run,
      evaluation,
      workspace: workload.name,
      directory: resolve(projectFolder(), results.directory),
    });
  }
  return places;
}

function privateKeyIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new CommandError(`There is no private key ${file}.`, exitCodes.usage);
  }
  const parsed = utils.parseKey(text);
  if (!(parsed instanceof Error) && parsed.isPrivateKey()) return text;
  throw new CommandError(
    `${file} isn't a private key, or it has a passphrase. To remove the passphrase of a copy: ssh-keygen -p -N "" -f <copy>.`,
    exitCodes.usage,
  );
}
