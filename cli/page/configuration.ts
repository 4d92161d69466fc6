import type { JobView } from "../stack/stack-view";

/** A part of the configuration in force: a title, and names with their values. */
export interface ConfigurationPart {
  readonly title: string;
  readonly values: readonly (readonly [name: string, value: string])[];
}

/**
 * What the stack was made with, as its state has it. Of environment variables the names alone: their values may be
 * secrets.
 */
export function configurationOf(view: JobView): ConfigurationPart[] {
  const { instance, run, evaluation, dashboard, workspace, endpoint, access, resultsFolder } = view;
  const part = (title: string, values: Readonly<Record<string, string | number | undefined>>): ConfigurationPart => ({
    title,
    values: Object.entries(values).flatMap(([name, value]) =>
      value === undefined || value === "" ? [] : [[name, String(value)] as const],
    ),
  });
  const parts = [
    part("Instance", {
      type: instance?.type,
      region: instance?.region,
      id: instance?.id,
      cloud: instance === undefined ? undefined : (endpoint ?? "Lambda"),
      login: access === undefined ? undefined : `${access.user}@${access.host}:${access.port}`,
      budgetDollars: instance?.budgetDollars,
    }),
    part("Training", {
      command: run?.command,
      folder: run === undefined ? undefined : [workspace, run.directory].filter((name) => name !== ".").join("/"),
      variables: Object.keys(run?.variables ?? {}).join(", "),
      outputs: run?.outputs,
      "first step": run?.firstStepPattern,
      "grace seconds": run?.graceSeconds,
      "most hours": run?.maxSeconds === undefined ? undefined : run.maxSeconds / 3600,
      "most idle minutes": run?.idleSeconds === undefined ? undefined : run.idleSeconds / 60,
    }),
    part("Evaluation", {
      command: evaluation?.command,
      checkpoint: evaluation?.checkpoint,
      metrics: evaluation?.metrics,
      "most minutes": evaluation === undefined ? undefined : evaluation.timeoutSeconds / 60,
    }),
    part("On this machine", {
      results: resultsFolder,
      dashboard: dashboard && (dashboard.command ?? `port ${dashboard.port}`),
    }),
  ];
  return parts.filter(({ values }) => values.length > 0);
}
