import { STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { CommandError } from "../terminal/command";
import { type ActionName, Actions } from "./actions";
import { type Asset, importMapHash, readAssets } from "./assets";
import { Events } from "./events";
import { Guard, securityHeaders } from "./guard";
import { StackMonitor } from "./monitor";
import { WorkloadLink } from "./workload-link";

/** A dashboard page that is being served. */
export interface ServedDashboard {
  /** Address to open, with the token that lets a browser in. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a stack's dashboard page on 127.0.0.1.
 * @param stack undefined: the selected one.
 * @param port 0: a free one.
 */
export async function serveDashboard(stack: string | undefined, port: number): Promise<ServedDashboard> {
  const events = new Events();
  const monitor = new StackMonitor(stack, events);
  const workload = new WorkloadLink(monitor);
  const guard = new Guard();
  const server = fastify({ logger: false, forceCloseConnections: true });
  const assets = readAssets();
  const headers = securityHeaders(importMapHash(assets.get("/")?.body ?? Buffer.of()));
  server.addHook("onRequest", async (_request, reply) => {
    reply.headers(headers);
  });
  guard.install(server);
  addPage(server, assets);
  addEvents(server, events, headers);
  addActions(server, new Actions(monitor, events));
  server.get("/api/report", async () => monitor.report() ?? null);
  server.get("/workload", async (_request, reply) => reply.redirect(await workload.open()));
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const code = error instanceof CommandError ? 409 : (error.statusCode ?? 500);
    return reply
      .code(code)
      .type("text/plain; charset=utf-8")
      .send(`${error.message || STATUS_CODES[code]}\n`);
  });
  const close = async (): Promise<void> => {
    monitor.close();
    events.close();
    await Promise.all([workload.close(), server.close()]);
  };
  try {
    await server.listen({ host: "127.0.0.1", port });
    await monitor.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { url: guard.address((server.server.address() as AddressInfo).port), close };
}

function addPage(server: FastifyInstance, assets: ReadonlyMap<string, Asset>): void {
  for (const [path, { type, body }] of assets) {
    server.get(path, async (_request, reply) => reply.type(type).send(body));
  }
}

function addEvents(server: FastifyInstance, events: Events, headers: Record<string, string>): void {
  server.get("/events", (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
    const lastId = request.headers["last-event-id"];
    events.add(reply.raw, typeof lastId === "string" ? lastId : undefined);
  });
}

function addActions(server: FastifyInstance, actions: Actions): void {
  const add = (name: ActionName): void => {
    server.post(`/api/actions/${name}`, async (_request, reply) => {
      if (actions.start(name) === "busy") throw new CommandError("Another action is running. Wait for its end.");
      return reply.code(202).send({ started: name });
    });
  };
  add("results");
  add("stop");
}
