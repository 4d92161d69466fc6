import { randomUUID } from "node:crypto";
import { masked } from "../../local/kept-secrets";
import type { SecretSource } from "../../plan/types";
import { runScript } from "../../remote/script";
import { bringSecrets } from "../../remote/secrets";
import { withRetries } from "../../remote/transfer/retry";
import type { SshAccess } from "../../remote/types";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { secretsHere } from "./secrets-here";

interface Inputs {
  readonly access: SshAccess;
  readonly script: string;
  readonly triggers: readonly string[];
  readonly secrets: readonly SecretSource[];
}

interface Outputs extends Inputs {
  readonly stdout: string;
}

/** The script is idempotent, and joins what it has begun: a lost connection is no reason to fail. */
async function run(inputs: Inputs, context: HandlerContext): Promise<Outputs> {
  const { access, script, secrets } = inputs;
  const values = secretsHere(secrets, context);
  const stdout = await withRetries(access, async (session) => {
    await bringSecrets(session, values);
    return runScript(session, script, context.progress);
  });
  return { ...inputs, stdout: masked(stdout) };
}

/** Life of a command on the instance that needs secrets there. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) => diffByName(olds, news, { replace: ["triggers"], update: ["access", "script", "secrets"] }),
  create: async (inputs, context) => ({
    id: randomUUID(),
    outs: await run(inputs, context),
  }),
  update: async (_id, olds, news, context) =>
    olds.script === news.script ? { ...news, stdout: olds.stdout } : run(news, context),
};
