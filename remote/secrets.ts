import { z } from "zod";
import { callAgent } from "./agent";
import { plainText } from "./log-text";
import type { SshSession } from "./session";

/**
 * Brings values of secrets to an instance, by standard input into a file for its user alone. They stay for as long as a
 * run or a step goes on that may need them.
 */
export async function bringSecrets(session: SshSession, values: Readonly<Record<string, string>>): Promise<void> {
  const call = { verb: "secrets-put", document: { values } };
  await callAgent(session, call, "Bringing the secrets to the instance", { timeoutSeconds: 60 });
}

/**
 * Brings them for one command alone.
 * @returns the name by which that command takes them, once
 */
export async function bringSecretsOnce(
  session: SshSession,
  values: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  if (Object.keys(values).length === 0) return undefined;
  const call = { verb: "secrets-put-once", document: { values } };
  const told = await callAgent(session, call, "Bringing the secrets to the instance", { timeoutSeconds: 60 });
  return told.trim();
}

const held = z.object({ files: z.array(z.string()), more: z.number(), whole: z.boolean() });

/** Names of result files that hold a secret's value. */
export type SecretsHeld = z.infer<typeof held>;

/** Asks which results of a run hold a secret, as seen at its end, or now where it goes on. */
export async function lookForSecrets(session: SshSession, experiment: string): Promise<SecretsHeld> {
  const call = { verb: "secrets-look", document: { experiment } };
  const text = await callAgent(session, call, "Looking for secrets among the results", { timeoutSeconds: 180 });
  return held.parse(JSON.parse(text));
}

/** The warning about results that hold a secret; undefined where none is known to. */
export function secretsText(found: SecretsHeld | undefined): string | undefined {
  if (found === undefined || found.files.length === 0) return undefined;
  const more = found.more > 0 ? `, and ${found.more} more` : "";
  return (
    `${found.files.map(plainText).join(", ")}${more}: these results hold the value of a secret as it is. Don't pass them ` +
    "on, and revoke the secret where somebody else could read them."
  );
}
