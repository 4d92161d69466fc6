import { InvalidArgumentError } from "commander";
import type { LogStart } from "../../remote/follow";

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * Reads `--since`: a time span before now, such as `90s`, `10m` or `1h30m`, by the instance's clock, or a time in ISO
 * 8601, in UTC where it names no zone.
 */
export function sinceOption(text: string): LogStart {
  if (/^(\d+[smhd])+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+)([smhd])/g)];
    const secondsAgo = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (secondsOf[unit ?? "s"] ?? 1), 0);
    return { secondsAgo };
  }
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  const zoned = iso?.[1] === undefined || iso[4] !== undefined ? text : `${text}Z`;
  const time = iso === null ? Number.NaN : Date.parse(zoned.replace(" ", "T"));
  if (Number.isNaN(time)) throw new InvalidArgumentError("It must be like 90s, 10m, 1h30m, 2d, or 2026-01-31T12:00Z.");
  return { since: Math.floor(time / 1000) };
}
