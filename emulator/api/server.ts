import { setTimeout as sleep } from "node:timers/promises";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { stringify } from "yaml";
import { distort, standIn, standIns, strike } from "../faults/api";
import type { ApiAction } from "../faults/model";
import { basePath, document, schemas } from "../openapi/document";
import { type Operation, operations } from "../openapi/operations";
import { object, type Schema } from "../openapi/schema";
import { recordAudit } from "../state/audit";
import { newId } from "../state/ids";
import type { ApiKeyRecord } from "../state/model";
import type { Store } from "../state/store";
import { callerOf, unknownCaller } from "./auth";
import type { CallLog } from "./call-log";
import { edgeAnswer } from "./edge";
import { accountInactive, invalidParameters } from "./errors";
import { tellFailures, tellFrameworkError } from "./failures";
import { type CloudParts, Envelope } from "./handlers/context";
import { handlers } from "./handlers/index";
import { RateLimiter } from "./rate-limit";
import { parseId } from "./validation";

declare module "fastify" {
  interface FastifyRequest {
    /** When it came. */
    cameAt: number;
    /** What a fault does to this call. */
    action: ApiAction;
    caller: ApiKeyRecord;
  }
  interface FastifyContextConfig {
    operation?: Operation;
  }
}

/** A launch may carry one MiB of user_data, which JSON can blow up six times. */
const bodyLimit = 8 * 1024 * 1024;

export interface ApiServerOptions extends CloudParts {
  readonly store: Store;
  readonly calls: CallLog;
  /** Tells of failures of the emulator itself. */
  readonly log: (line: string) => void;
}

/**
 * The API server: every operation of the document, with requests checked against it. The order of checks is that of
 * the real one: edge (faults, rate limit), API key, account, request, then what the operation itself looks at.
 */
export function apiServer(options: ApiServerOptions): FastifyInstance {
  const { state, calls, lifecycle, now } = options;
  const limiter = new RateLimiter(() => state.settings, now);
  const server = fastify({
    bodyLimit,
    genReqId: newId,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 4096 },
    forceCloseConnections: true,
    frameworkErrors: tellFrameworkError,
    // Values are taken as they are: nothing is coerced, filled in or removed.
    ajv: { customOptions: { coerceTypes: false, useDefaults: false, removeAdditional: false, strict: false } },
  });

  // Schemas of the document, to which those of bodies refer.
  server.addSchema({ $id: "api", components: { schemas } });
  server.decorateRequest("cameAt", 0);
  server.decorateRequest("caller");
  server.decorateRequest("action");
  parseJsonBodies(server);

  server.addHook("onRequest", async (request, reply) => {
    request.cameAt = now();
    // The cloud has a clock of its own, and its callers go by this header.
    reply.header("date", new Date(now()).toUTCString());
    const { operation } = request.routeOptions.config;
    const path = request.url.split("?")[0]?.replace(basePath, "") ?? "";
    // The description is not a call of the API: by it the project sees whether its cloud runs.
    const isDescription = path.startsWith("/openapi.");
    const call = { operation: operation?.id, method: request.method, path };
    request.action = isDescription ? {} : strike(state.apiFaults, call);
    const { resetBefore, retryAfter } = request.action;
    const answer = standIn(request.action);
    if (resetBefore || answer) await delay(request.action);
    if (resetBefore) return reset(request, reply);
    if (answer) {
      if (retryAfter !== undefined) reply.header("retry-after", String(retryAfter));
      return reply.code(answer.status).type(answer.contentType).send(answer.body);
    }
    if (operation === undefined && request.url === callerAddressPath) return;
    const edge = edgeAnswer(request.headers["user-agent"]);
    if (edge !== undefined) return reply.code(edge.status).type(edge.contentType).send(edge.body);
    if (operation === undefined && isDescription) return;
    const caller = callerOf(request.headers.authorization, state.apiKeys);
    const wait = limiter.take(caller?.id ?? request.ip, operation?.id === "launchInstance");
    if (wait > 0) return refuse(reply, wait);
    if (caller === undefined) throw unknownCaller(request.headers.authorization);
    request.caller = caller;
    if (state.settings.account.state === "inactive") throw accountInactive();
    lifecycle.advance();
  });

  server.addHook("onResponse", async ({ cameAt: at, method, routeOptions }, { statusCode: status }) => {
    const path = routeOptions.config.operation?.path;
    if (path !== undefined) calls.add({ at, method, path, status });
  });

  // A late call has been taken whole: it is carried out although its caller may have hung up by then.
  server.addHook("preValidation", async ({ action }) => {
    if (!action.resetBefore && standIn(action) === undefined) await delay(action);
  });

  const refuse = (reply: FastifyReply, wait: number) => {
    const { rateLimit } = state.settings;
    const answer = standIns[rateLimit.json ? "rate-limited-json" : "rate-limited"];
    if (rateLimit.retryAfter) reply.header("retry-after", String(Math.max(1, Math.ceil(wait))));
    return reply.code(answer.status).type(answer.contentType).send(answer.body);
  };

  for (const operation of operations) addRoute(server, operation, options);

  const description = () => document(`http://${server.listeningOrigin.replace(/^https?:\/\//, "")}`);
  server.get(`${basePath}/openapi.json`, async () => description());
  server.get(`${basePath}/openapi.yaml`, async (_, reply) =>
    reply.type("application/yaml").send(stringify(description(), { aliasDuplicateObjects: false })),
  );

  // No part of Lambda's API: it stands for the services on the internet that tell a caller its address.
  server.get(callerAddressPath, async (_, reply) => reply.type("text/plain").send(state.settings.caller.address));

  tellFailures(server, options.log);

  return server;
}

function addRoute(server: FastifyInstance, operation: Operation, options: ApiServerOptions): void {
  const { state, store } = options;
  server.route({
    method: operation.method.toUpperCase() as "GET",
    url: basePath + operation.path.replace("{id}", ":id"),
    config: { operation },
    schema: {
      ...(operation.body && { body: { $ref: `api${operation.body.$ref}` } }),
      ...(operation.query && { querystring: querySchema(operation.query) }),
    },
    // The id in the path is looked at before the body.
    preValidation: async (request) => {
      const { id } = request.params as { id?: string };
      if (id !== undefined) parseId(id);
      if (operation.body && request.body === undefined) request.body = null;
    },
    handler: async (request, reply) => {
      const { id = "" } = request.params as { id?: string };
      if (!givesBack(operation)) store.makeRoom();
      const payload = await handlers[operation.id]({
        ...options,
        body: request.body,
        query: request.query as Record<string, string | undefined>,
        id: id && parseId(id),
        caller: request.caller,
        audit: (resource, action, resourceIds, details = {}) => {
          recordAudit(state, {
            at: options.now(),
            resource,
            action,
            resourceIds,
            apiKeyId: request.caller.id,
            clientIp: request.ip,
            userAgent: request.headers["user-agent"],
            statusCode: 200,
            details,
          });
        },
      });
      if (operation.method !== "get") store.commit();
      if (request.action.resetAfter) return reset(request, reply);
      const envelope = payload instanceof Envelope ? payload.fields : { data: payload };
      return distort(envelope, request.action);
    },
  });
}

/** Whether an operation only looks, or only ends something: on a full disk what costs money can still be ended. */
const givesBack = ({ method, id }: Operation): boolean =>
  method === "get" || method === "delete" || id === "terminateInstance";

const callerAddressPath = "/caller-address";

/** No parameter of a query is required. */
const querySchema = (parameters: Readonly<Record<string, Schema>>): Schema =>
  object(Object.fromEntries(Object.entries(parameters).map(([name, schema]) => [`${name}?`, schema])));

/** Ends the connection without an answer. */
function reset(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.hijack();
  request.raw.socket.resetAndDestroy();
  return reply;
}

const delay = async ({ delayMs }: ApiAction): Promise<void> => {
  if (delayMs) await sleep(delayMs);
};

/** Bodies are JSON whatever the content type says; an empty one is none. */
function parseJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    if (body === "") return done(null, undefined);
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(invalidParameters("Error in request body: JSON decode error"));
    }
  });
}
