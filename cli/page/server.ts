import { STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
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

/** What is served of one run. */
class RunPage {
  readonly events = new Events();
  readonly monitor: StackMonitor;
  readonly workload: WorkloadLink;
  readonly actions: Actions;

  constructor(stack: string | undefined, run: string | undefined) {
    this.monitor = new StackMonitor(stack, this.events, run);
    this.workload = new WorkloadLink(this.monitor);
    this.actions = new Actions(this.monitor, this.events);
  }

  close(): Promise<void> {
    this.monitor.close();
    this.events.close();
    return this.workload.close();
  }
}

/** Gives the page that a request is about. */
type PageOf = (request: FastifyRequest) => RunPage;

/**
 * Serves a stack's dashboard page on 127.0.0.1.
 * @param stack undefined: the selected one.
 * @param port 0: a free one.
 * @param run Name of the run that it shows first.
 */
export async function serveDashboard(stack: string | undefined, port: number, run?: string): Promise<ServedDashboard> {
  const first = new RunPage(stack, run);
  const others = new Map<string, RunPage>();
  const pageOf: PageOf = ({ query }) => {
    const asked = (query as { readonly run?: unknown }).run;
    const { jobs, job } = first.monitor;
    const name = jobs.find((each) => each.name !== undefined && each.name === asked)?.name;
    if (name === undefined || name === job?.name) return first;
    const page = others.get(name) ?? new RunPage(stack, name);
    // The page of another run is there once somebody asks for it.
    if (!others.has(name)) void page.monitor.start();
    others.set(name, page);
    return page;
  };
  const guard = new Guard();
  const server = fastify({ logger: false, forceCloseConnections: true });
  const assets = readAssets();
  const headers = securityHeaders(importMapHash(assets.get("/")?.body ?? Buffer.of()));
  server.addHook("onRequest", async (_request, reply) => {
    reply.headers(headers);
  });
  guard.install(server);
  addPage(server, assets);
  addEvents(server, pageOf, headers);
  addActions(server, pageOf);
  server.get("/api/report", async (request) => pageOf(request).monitor.report() ?? null);
  server.get("/workload", async (request, reply) => reply.redirect(await pageOf(request).workload.open()));
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const code = error instanceof CommandError ? 409 : (error.statusCode ?? 500);
    return reply
      .code(code)
      .type("text/plain; charset=utf-8")
      .send(`${error.message || STATUS_CODES[code]}\n`);
  });
  const close = async (): Promise<void> => {
    await Promise.all([...[first, ...others.values()].map((page) => page.close()), server.close()]);
  };
  try {
    await server.listen({ host: "127.0.0.1", port });
    await first.monitor.start();
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

function addEvents(server: FastifyInstance, pageOf: PageOf, headers: Record<string, string>): void {
  server.get("/events", (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
    const lastId = request.headers["last-event-id"];
    pageOf(request).events.add(reply.raw, typeof lastId === "string" ? lastId : undefined);
  });
}

function addActions(server: FastifyInstance, pageOf: PageOf): void {
  const add = (name: ActionName): void => {
    server.post(`/api/actions/${name}`, async (request, reply) => {
      if (pageOf(request).actions.start(name) === "busy")
        throw new CommandError("Another action is running. Wait for its end.");
      return reply.code(202).send({ started: name });
    });
  };
  add("results");
  add("stop");
}
