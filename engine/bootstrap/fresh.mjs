// What a plain `pulumi preview` or `up` runs first: nothing else has looked at the bundles before.
import { isDistFresh, readyDist } from "./compile.mjs";
import { dependenciesReady } from "./dependencies.mjs";
import { Failure, say } from "./failure.mjs";

/**
 * Bundles the sources where the bundles are older. What can't be bundled ends the program, before anything is launched.
 * The provider goes on with the bundles that it has: a `destroy` must not fail over an edited source.
 * @param process `index` for the program, `provider` for the provider
 */
export async function freshDist(process) {
  try {
    await fresh();
  } catch (error) {
    const message = error instanceof Failure ? error.message : error.stack;
    if (process === "provider") say(`The build is older than the sources, and is used as it is. ${message}`);
    else {
      say(message);
      end();
    }
  }
}

async function fresh() {
  if (isDistFresh()) return;
  if (!dependenciesReady())
    throw new Failure("The sources have changed, and so have their npm packages. Run `npm ci`, then run this again.");
  await readyDist({ path: globalThis.process.execPath }, globalThis.process.env);
}

/** As a program that has told why: the engine prints nothing else. */
function end() {
  globalThis.process.exit(32);
}
