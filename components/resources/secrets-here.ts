import { findSecrets, requireSecrets, type SecretPlaces, secretsConfig } from "../../plan/secrets";
import type { SecretSource } from "../../plan/types";
import type { HandlerContext } from "../dynamic/handler";

/** Has this process mask what it finds here of a run's secrets. */
export function maskSecrets(secrets: readonly SecretSource[] | undefined, context: HandlerContext): void {
  findSecrets(secrets ?? [], placesOf(context));
}

/**
 * Values of a run's secrets, as this machine has them now. From here on this process masks them in all that it tells.
 * @throws PlanError where one is missing
 */
export function secretsHere(
  secrets: readonly SecretSource[],
  context: HandlerContext,
): Readonly<Record<string, string>> {
  const places = placesOf(context);
  requireSecrets(secrets, places);
  return findSecrets(secrets, places).values;
}

function placesOf(context: HandlerContext): SecretPlaces {
  return { environment: process.env, configured: context.config(secretsConfig) };
}
