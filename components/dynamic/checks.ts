import { hasUnknown } from "./unknown";

/** Something wrong with an input. */
export interface Failure {
  readonly property: string;
  readonly reason: string;
}

/** Collects what is wrong with inputs. Values that are not known yet are passed over. */
export class Failures {
  readonly list: Failure[] = [];

  /** Says what is wrong with a property unless `fine` holds for its value. */
  require<T>(property: string, value: T, fine: (value: T) => boolean, reason: string): void {
    if (hasUnknown(value) || fine(value)) return;
    this.list.push({ property, reason: `${property} ${reason}, got ${shown(value)}` });
  }
}

/** True for a text of `least` to `most` characters. */
export function isText(value: unknown, least = 1, most = Number.POSITIVE_INFINITY): value is string {
  return typeof value === "string" && value.length >= least && value.length <= most;
}

/** True for a list of texts that is not empty. */
export function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => isText(each));
}

/** True for a number from 0 (or above 0) on, or nothing. */
export function isOptionalAmount(value: unknown, aboveZero = false): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "number" && Number.isFinite(value) && (aboveZero ? value > 0 : value >= 0);
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 80 ? `${json.slice(0, 80)}…` : json;
}
