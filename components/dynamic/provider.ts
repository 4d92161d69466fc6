import type { dynamic } from "@pulumi/pulumi";
import { engineAlive } from "../../engine/link/address";
import { endWithEngine, inFlight } from "../../engine/link/watchdog";
import { safeText } from "../../remote/log-text";
import { CreatedButFailed, type DynamicHandler, type HandlerContext } from "./handler";
import { interrupted } from "./interrupt";
import { talk } from "./talk";

/**
 * The name in `components/resources` of a handler's module that a state names. Releases up to 0.1.0 kept handlers in other folders, and their states name
 * them there for as long as they live.
 */
export function handlerModule(named: string): string {
  return named
    .replace(/^components\/(?:lambda|remote)\/handlers\/([a-z-]+)$/, "$1-handler")
    .replace(/^components\/resources\//, "");
}

/**
 * The provider that the engine's provider process sees: forwards every call to the `handler` that the module exports.
 * The module is loaded at the first call.
 * @param module Of the handler, as the state names it: `components/resources/boot-handler`.
 * @param urn The resource whose row shows what happens. States written before have none: then it is the stack's.
 * @param find Loads a module of `components/resources` by its name.
 */
export function provider(
  module: string,
  urn: string | undefined,
  find: (name: string) => unknown,
): Required<dynamic.ResourceProvider> {
  let config: HandlerContext["config"] = () => undefined;
  /** Runs one call with a context of its own, so that its status line ends with it. */
  const call = <T>(run: (context: HandlerContext) => T | Promise<T>): Promise<T> =>
    withoutStack(() =>
      talk(urn, async ({ progress, status }) =>
        run({
          config: (key) => config(key),
          progress,
          status,
          engineAlive: () => engineAlive(),
          interrupted: interrupted(),
        }),
      ),
    );
  const load = (): DynamicHandler<object, object> => {
    const { handler } = find(handlerModule(module)) as {
      readonly handler?: DynamicHandler<object, object>;
    };
    if (handler === undefined) throw new Error(`${module} exports no "handler".`);
    return handler;
  };
  endWithEngine();
  return {
    // Assigned before anything is awaited: the process lets calls in while an asynchronous configure is pending.
    configure: async (request) => {
      config = (key) => request.config.get(key);
    },
    check: (olds, news) =>
      call(async (context) => {
        const handler = load();
        if (handler.check === undefined) return { inputs: news };
        const { inputs, failures } = await handler.check(news, olds, context);
        return { inputs: plain(inputs), failures: [...(failures ?? [])] };
      }),
    diff: (id, olds, news) => call((context) => load().diff(id, olds, news, context)),
    create: (inputs) =>
      call((context) => keepingCreated(inputs, async () => plain(await load().create(inputs, context)))),
    read: (id, props) =>
      call(async (context) => {
        const handler = load();
        if (handler.read === undefined) return { id, props };
        // An empty id tells the engine that the resource is gone.
        return plain((await handler.read(id, props ?? {}, context)) ?? { id: "", props: {} });
      }),
    update: (id, olds, news) =>
      call(async (context) => {
        const handler = load();
        // What update returns replaces all outputs: without one of its own the old outputs live on under the new inputs.
        if (handler.update === undefined) return { outs: plain({ ...olds, ...news }) };
        const { update } = handler;
        return keepingCreated(news, async () => plain({ outs: await update.call(handler, id, olds, news, context) }));
      }),
    delete: (id, props) => call(async (context) => load().delete?.(id, props, context)),
  };
}

/**
 * Runs one call. The provider process prints the stack of what some calls throw: of faults of the program that helps,
 * of messages to the user it buries them.
 */
async function withoutStack<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await inFlight(run);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    error.message = safeText(error.message);
    const isFault = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
    if (!isFault) error.stack = "";
    throw error;
  }
}

/** Members that are undefined cannot be sent to the engine. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Turns {@link CreatedButFailed} into the shape by which the engine records a resource that is not right yet. */
async function keepingCreated<T>(inputs: { readonly __provider?: string }, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof CreatedButFailed)) throw error;
    // Without `__provider` among the properties the engine could never delete it (pulumi #18009).
    const properties = { ...plain(error.outs), __provider: inputs.__provider };
    throw Object.assign(error, { properties, reasons: [safeText(error.message)] });
  }
}
