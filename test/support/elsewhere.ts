import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Override of the tiny workload with which it writes outside of its outputs too. */
export const writesElsewhere = { elsewhere: 1 };

/** Where it then writes, relative to the home folder of an instance, and below the results at home. */
function places(experiment: string): { readonly there: string; readonly home: string }[] {
  const logged = `lightning_logs/${experiment}/checkpoints/last.json`;
  const kept = `ckpts/${experiment}/last.json`;
  return [
    { there: `tiny/${logged}`, home: `beside/${logged}` },
    { there: kept, home: `beside/home/${kept}` },
  ];
}

/** Steps of the checkpoints that a run has written outside of its outputs on an instance, by path below its results. */
export function writtenElsewhere(instanceHome: string, experiment: string): Record<string, number> {
  return steps(places(experiment).map(({ there, home }) => [home, join(instanceHome, there)]));
}

/** The same, of what is at home. */
export function broughtFromElsewhere(results: string, experiment: string): Record<string, number> {
  return steps(places(experiment).map(({ home }) => [home, join(results, home)]));
}

/** What of this is missing in results at home, or of an earlier step; and the report of an evaluation that is home. */
export function missingAtHome(
  results: string,
  experiment: string,
  written: Readonly<Record<string, number>>,
): string[] {
  const home = broughtFromElsewhere(results, experiment);
  const missing = Object.entries(written).filter(([path, step]) => !((home[path] ?? -1) >= step));
  const report = `beside/evaluations/${experiment}.json`;
  const evaluated = Object.keys(written).length > 0 && existsSync(join(results, "metrics/evaluation.json"));
  return [
    ...missing.map(([path, step]) => `${path} of step ${step}: at home is ${home[path] ?? "none"}`),
    ...(evaluated && !existsSync(join(results, report)) ? [report] : []),
  ];
}

function steps(files: readonly (readonly [string, string])[]): Record<string, number> {
  return Object.fromEntries(
    files.flatMap(([name, file]) => {
      try {
        return [[name, (JSON.parse(readFileSync(file, "utf8")) as { step: number }).step]];
      } catch {
        return [];
      }
    }),
  );
}
