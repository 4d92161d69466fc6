import type { StandingPlan } from "../plan/standing";
import { callAgent } from "./agent";
import { readStatus } from "./run";
import { datasetStepHash, uploadName } from "./scripts";
import type { SshSession } from "./session";
import type { RunStatus } from "./types";

/** On what the runs of an instance stand, as its own files tell. Hashes; undefined for what was never there. */
export interface SeenStanding {
  /** Every experiment that was ever started there. */
  readonly runs: readonly RunStatus[];
  readonly code?: string;
  readonly dataset?: string;
  readonly environment?: string;
}

/** Looks at what goes on on an instance, and on what. */
export async function lookAtStanding(session: SshSession, { workload }: StandingPlan): Promise<SeenStanding> {
  return look(session, { workspace: uploadName(workload.name) });
}

/** Every run that was ever started on an instance. */
export async function runsThere(session: SshSession): Promise<readonly RunStatus[]> {
  return (await look(session, {})).runs;
}

async function look(session: SshSession, document: { readonly workspace?: string }): Promise<SeenStanding> {
  const call = { verb: "standing", document };
  const text = await callAgent(session, call, "Looking at what is running there", { timeoutSeconds: 60 });
  const { experiments, ...hashes } = JSON.parse(text) as Omit<SeenStanding, "runs"> & { experiments: string[] };
  const runs: RunStatus[] = [];
  for (const experiment of experiments) runs.push(await readStatus(session, experiment));
  return { ...hashes, runs };
}

/** What of that on which a run stands is another than what a plan asks for, in words. */
export function otherThan(
  { workload, dataset, environment, runs }: StandingPlan,
  seen: SeenStanding,
  going: RunStatus,
) {
  const names = runs.map(({ run }) => run.experiment);
  const asked = runs.find(({ run }) => run.experiment === going.experiment);
  const found: Readonly<Record<string, boolean>> = {
    [`the experiment's name (now ${names.join(", ")})`]: asked === undefined,
    "the configuration": asked !== undefined && going.hash !== asked.run.hash,
    "the code": seen.code !== workload.hash,
    "the dataset": seen.dataset !== (dataset && datasetStepHash(dataset)),
    "the environment": seen.environment !== environment.hash,
  };
  return Object.keys(found).filter((words) => found[words]);
}
