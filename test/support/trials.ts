import type { Project } from "./project";

/** A trial as `status --json` tells of it. */
export interface ToldTrial {
  readonly number: number;
  readonly params: { readonly steps: number };
  readonly state: string;
  readonly value: number;
  readonly attempt: number;
  readonly machine: string;
}

interface Told {
  readonly sweeps?: readonly { readonly study?: { readonly trials: readonly ToldTrial[] } }[];
}

/** The trials of a stack's sweep; none where the study can't be asked. */
export async function trialsOf(project: Project): Promise<readonly ToldTrial[]> {
  const told = JSON.parse((await project.run("status", ["--json"])).output) as Told;
  return told.sweeps?.[0]?.study?.trials ?? [];
}
