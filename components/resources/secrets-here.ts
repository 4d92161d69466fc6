import { findSecrets, requireSecrets, secretsConfig } from "../../plan/secrets";
import type { SecretSource } from "../../plan/types";
import type { HandlerContext } from "../dynamic/handler";

/**
 * Values of a run's secrets, as this machine has them now. From here on this process masks them in all that it tells.
 * @throws PlanError where one is missing
 */
export function secretsHere(
  secrets: readonly SecretSource[],
  context: HandlerContext,
): Readonly<Record<string, string>> {
  const places = { environment: process.env, configured: context.config(secretsConfig) };
  requireSecrets(secrets, places);
  return findSecrets(secrets, places).values;
}
