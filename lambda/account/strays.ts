import { type Instance, isEnding } from "../api/schemas";
import { launchedAtOf } from "./tags";

/**
 * An instance that carries a unique name of a state which does not know the instance itself: an `up` was killed between
 * the launch and the answer to it. It is billed. The next `up` adopts it, and a destroy terminates it.
 */
export interface Stray {
  readonly id: string;
  /** The unique name. */
  readonly name: string;
  readonly type: string;
  readonly region: string;
  readonly status: string;
  /** Cents per hour. */
  readonly priceCents?: number;
  /** ISO 8601 in UTC, as its tag tells. */
  readonly launchedAt?: string;
}

/** What a state knows: the names that it may have launched under, and the ids of its instances. */
export interface Claims {
  readonly names: readonly string[];
  readonly instanceIds: readonly string[];
}

/** The strays of a state among the instances of an account. */
export function straysAmong(instances: readonly Instance[], { names, instanceIds }: Claims): Stray[] {
  return instances
    .filter(({ id, name, status }) => names.includes(name ?? "") && !instanceIds.includes(id) && !isEnding(status))
    .map(({ id, name = "", region = "", status, instanceType, tags }) => ({
      id,
      name,
      type: instanceType?.name ?? "unknown type",
      region,
      status,
      priceCents: instanceType?.priceCentsPerHour,
      launchedAt: launchedAtOf(tags),
    }));
}
