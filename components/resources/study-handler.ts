import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { atMost } from "../../local/at-most";
import type { BucketPlace, EvaluationPlan, SecretSource } from "../../plan/types";
import { trialsInBucket } from "../../remote/bucket/on-instance";
import { mainNumbers, metricsIn } from "../../remote/metrics-at-home";
import { type SshSession, withSession } from "../../remote/session";
import { type KnownAtHome, placeStudy, readCopy, type StudyCopy } from "../../remote/study";
import { adoptStudy, bestOf, copyAtHome, type FoundCopy, knowsMore, readJournal } from "../../remote/study-copies";
import { recordHead, resultsFile } from "../../remote/transfer/results-file";
import { prunedReason } from "../../remote/trial-part";
import { numberOf } from "../../remote/trials";
import type { SshAccess } from "../../remote/types";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import type { Login } from "./claim";
import { connect } from "./cloud";
import { isUnreachable, localPath, look } from "./place";
import { secretsHere } from "./secrets-here";

/** A machine of the fleet, launched or not. */
interface Member {
  readonly machine: string;
  /** Its unique name. */
  readonly name: string;
  readonly login: Login;
}

interface Inputs {
  readonly endpoint: string;
  readonly experiment: string;
  readonly study: string;
  readonly definition: object;
  readonly metric: string;
  readonly evaluation?: EvaluationPlan;
  readonly directory: string;
  readonly instanceId: string;
  readonly access: SshAccess;
  readonly members: readonly Member[];
  readonly instanceIds?: readonly string[];
  readonly bucket?: BucketPlace;
  readonly secrets?: readonly SecretSource[];
}

/** What is known of trials that have ended well. */
type Trained = Omit<KnownAtHome, "lost">;

/** Machines that are asked side by side. */
const sideBySide = 8;

/**
 * Gives the study its place, with all that is known of it anywhere, and tells it what is wanted now.
 * @param lost Ids of instances that are gone: what they had is at home, or nowhere.
 */
async function place(inputs: Inputs, lost: readonly string[], context: HandlerContext): Promise<Inputs> {
  const { experiment, study, definition, access } = inputs;
  const directory = localPath(inputs.directory);
  context.status("looking for the study");
  const own = await look(access, (session) => readCopy(session, experiment));
  // Where it is, it stays: the others know no more than what it has told them.
  const others = own?.study === true ? [] : [...(await copiesOf(inputs, context)), ...atHome(directory, experiment)];
  const best = bestOf(others);
  const moved = best !== undefined && knowsMore(best, own) ? best : undefined;
  const journal = await moved?.read();
  context.status("placing the study");
  await look(access, async (session) => {
    if (moved !== undefined && journal !== undefined)
      await adoptStudy(session, experiment, { epoch: moved.epoch, journal });
    else if (own?.study === false) await adoptStudy(session, experiment);
    const known = together(knownAtHome(directory, inputs), await knownInBucket(session, inputs, context));
    await placeStudy(session, experiment, { definition, ...known, lost });
  });
  if (moved !== undefined)
    context.progress(`${experiment}: the study is on ${study} now, with all that was known of it`);
  return inputs;
}

/** What the other machines know that can be reached. One that can't be has its trials, and tells them later. */
async function copiesOf(inputs: Inputs, context: HandlerContext): Promise<FoundCopy[]> {
  const { endpoint, experiment, study, members } = inputs;
  const cloud = connect(endpoint, context);
  const listed = await cloud.client.listInstances();
  const inTurn = atMost(sideBySide);
  const found = members.map(({ machine, name, login }) =>
    inTurn(async (): Promise<FoundCopy[]> => {
      const host = listed.find((each) => each.name === name && each.status === "active")?.ip;
      if (machine === study || host === undefined) return [];
      const { user = "ubuntu", port = cloud.endpoint.sshPort, ...keys } = login;
      const access = { host, port, user, ...keys };
      try {
        const copy = await look(access, (session) => readCopy(session, experiment));
        return copy === undefined ? [] : [{ ...copy, read: () => readFrom(access, experiment, copy) }];
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        context.progress(`${machine}: ${(error as Error).message} What it knows of ${experiment} isn't looked at.`);
        return [];
      }
    }),
  );
  return (await Promise.all(found)).flat();
}

function readFrom(access: SshAccess, experiment: string, copy: StudyCopy): Promise<Buffer> {
  return withSession(access, (session) => readJournal(session, experiment, copy));
}

function atHome(directory: string, experiment: string): FoundCopy[] {
  const copy = copyAtHome(directory, experiment);
  return copy === undefined ? [] : [copy];
}

/** What is at home of trials that have ended well. Of pruned ones nothing more is wanted. */
function knownAtHome(directory: string, { experiment, evaluation, metric }: Inputs): Trained {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const home: number[] = [];
  const trained: NonNullable<KnownAtHome["trained"]>[number][] = [];
  for (const name of names) {
    const number = numberOf(name, experiment);
    const folder = join(directory, name);
    if (number === undefined || !existsSync(join(folder, resultsFile))) continue;
    const ran = recordHead(folder)?.run;
    const last = ran?.attempts.at(-1);
    const isWell = last?.exitCode === 0 && last.stopReason === undefined;
    if (!isWell && last?.stopReason !== prunedReason) continue;
    home.push(number);
    const values = evaluation === undefined ? {} : mainNumbers(metricsIn(folder, evaluation.metrics).files, 1000);
    if (isWell && ran?.trial !== undefined) trained.push({ number, params: ran.trial.values, value: values[metric] });
  }
  return { home, trained };
}

/** The same of what lies in a bucket, where that counts as home. */
async function knownInBucket(
  session: SshSession,
  { experiment, bucket, secrets = [], metric, evaluation }: Inputs,
  context: HandlerContext,
): Promise<Trained> {
  if (bucket === undefined) return { home: [] };
  context.status("looking for trials in the bucket", bucket.url);
  const asked = { experiment, bucket, metric, metrics: evaluation?.metrics };
  const trials = await trialsInBucket(session, asked, secretsHere(secrets, context));
  return {
    home: trials.map(({ number }) => number),
    trained: trials.flatMap(({ number, reason, values, value }) =>
      reason === prunedReason || !values ? [] : [{ number, params: values, value: value ?? undefined }],
    ),
  };
}

function together(one: Trained, other: Trained): Trained {
  const trained = [...(one.trained ?? []), ...(other.trained ?? [])];
  const byNumber = new Map(trained.toReversed().map((each) => [each.number, each]));
  return { home: [...new Set([...one.home, ...other.home])], trained: [...byNumber.values()] };
}

/** Life of a sweep's study: which trials there are to be, and where what is known of them lies. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["experiment"],
      update: [
        "study",
        "definition",
        "metric",
        "evaluation",
        "directory",
        "instanceId",
        "access",
        "members",
        "instanceIds",
        "bucket",
        "secrets",
      ],
    }),
  create: async (inputs, context) => ({ id: inputs.experiment, outs: await place(inputs, [], context) }),
  update: async (_id, olds, news, context) => place(news, replaced(olds, news), context),
};

/** Ids of instances in whose place another one is. One whose machine leaves the fleet brings home what it has, and then goes. */
function replaced(olds: Inputs, news: Inputs): string[] {
  const { members, instanceIds = [] } = olds;
  return instanceIds.filter((id, at) => {
    const stays = news.members.some(({ machine }) => machine === members[at]?.machine);
    return stays && news.instanceIds?.includes(id) === false;
  });
}
