import type { CloudState } from "./model";

/** The newest time that a state tells of what has happened: the cloud's clock never goes back behind it. */
export function newestTime({ instances, audit, ledger, maintenance }: CloudState): number {
  const times = [
    ...instances.flatMap((record) => [
      record.launchedAt,
      record.firstHealthyAt,
      record.restartingAt,
      record.terminatingAt,
      record.terminatedAt,
    ]),
    ...ledger.flatMap(({ from, to }) => [from, to]),
    ...maintenance.map(({ lastUpdated }) => lastUpdated),
    audit.at(-1)?.at,
  ];
  return times.reduce<number>((newest, time) => Math.max(newest, time ?? newest), Number.NEGATIVE_INFINITY);
}
