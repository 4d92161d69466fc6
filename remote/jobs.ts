import { askAgent } from "./agent";
import { jobCopy } from "./copies";
import type { BroughtHome } from "./home";
import { endRun, type ResultsPlace } from "./results";
import { type SshSession, sshFailure } from "./session";
import type { RunStatus } from "./types";

/** A command that is supervised as a run is, beside a run of the stack. */
export interface JobAsked {
  /** Its name, among all runs of the instance. */
  readonly name: string;
  /** Experiment of the run that it has its variables, secrets and environment from. */
  readonly of: string;
  /** Tells what it is: its command, its code and where it runs. */
  readonly hash: string;
  readonly workspace: string;
  /** Shell text. */
  readonly command: string;
  /** Variables besides those of the run. */
  readonly variables: Readonly<Record<string, string>>;
  readonly graceSeconds: number;
  /** When the budget is spent, in milliseconds since the epoch. */
  readonly spentAt?: number;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

const taken = 3;

/** There is something else of that name on the instance. */
export class NameTaken extends Error {
  override readonly name = "NameTaken";
}

/** Whether this very job was started already. @throws NameTaken */
export async function isStarted(session: SshSession, { name, hash }: JobAsked): Promise<boolean> {
  const call = { verb: "job-look", document: { experiment: name, hash } };
  return (await said(session, call, `Looking for ${name}`)) === "started";
}

/** Starts a job in its copy of the workspace, which is there, or finds it started. @throws NameTaken */
export async function startJob(session: SshSession, asked: JobAsked): Promise<void> {
  const { name, of, hash, workspace, command, variables, graceSeconds, spentAt, include = [], exclude = [] } = asked;
  const grace = Math.ceil(graceSeconds);
  const document = {
    experiment: name,
    of,
    hash,
    workspace,
    folder: jobCopy(name, workspace),
    command,
    variables,
    grace,
    // Stopping takes its time too.
    ...(spentAt !== undefined && { deadline: Math.ceil(spentAt / 1000) - grace }),
    results: { include, exclude },
  };
  await said(session, { verb: "job-start", document }, `Starting the job ${name}`);
}

async function said(session: SshSession, call: { verb: string; document: object }, what: string): Promise<string> {
  const { code, stdout, stderr } = await askAgent(session, call, { timeoutSeconds: 120 });
  if (code === taken) throw new NameTaken(stderr.trim());
  if (code !== 0) throw sshFailure(session, code, what, stderr);
  return stdout.trim();
}

/** The jobs beside a run that go on. */
export function jobsGoingOn({ jobs = [] }: Pick<RunStatus, "jobs">): string[] {
  const goesOn = ({ state }: { readonly state: string }): boolean => ["starting", "running"].includes(state);
  return jobs.filter(goesOn).map(({ experiment }) => experiment);
}

/** Where the results of a job are and go. @param place Of the run that it is beside. */
export function jobPlace({ workspace, ...place }: ResultsPlace, name: string): ResultsPlace {
  return {
    ...place,
    // A bucket is for what the stack itself runs.
    run: { ...place.run, experiment: name, node: undefined, bucket: undefined },
    evaluation: undefined,
    workspace: jobCopy(name, workspace),
    isJob: true,
  };
}

/** A job that was ended, and what came home of it; or why that can't come home. */
export type EndedJob =
  | { readonly place: ResultsPlace; readonly home: BroughtHome | undefined }
  | { readonly place: ResultsPlace; readonly error: Error };

/** Ends jobs beside a run for good, as {@link endRun} ends a run. @param status Of that run, which tells of its jobs. */
export function endJobs(
  place: ResultsPlace,
  { jobs = [] }: Pick<RunStatus, "jobs">,
  reason: string,
  listener: Parameters<typeof endRun>[2],
): Promise<EndedJob[]> {
  const ending = jobs.map(async ({ experiment }): Promise<EndedJob> => {
    const own = jobPlace(place, experiment);
    try {
      return { place: own, home: await endRun(own, reason, listener) };
    } catch (error) {
      return { place: own, error: error as Error };
    }
  });
  return Promise.all(ending);
}
