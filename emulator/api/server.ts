import { setTimeout as sleep } from "node:timers/promises";
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
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
import { authenticate, keysIn } from "./auth";
import { ApiError, accountInactive, invalidParameters, notFound, unknownError } from "./errors";
import { type CloudParts, Envelope } from "./handlers/context";
import { handlers } from "./handlers/index";
import { RateLimiter } from "./rate-limit";
import { fromSchemaErrors, parseId } from "./validation";

declare module "fastify" {
  interface FastifyRequest {
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
  /** Tells of failures of the emulator itself. */
  readonly log: (line: string) => void;
}

/**
 * The API server: every operation of the document, with requests checked against it. The order of checks is that of
 * the real one: edge (faults, rate limit), API key, account, request, then what the operation itself looks at.
 */
export function apiServer(options: ApiServerOptions): FastifyInstance {
  const { state, lifecycle, now } = options;
  const limiter = new RateLimiter(() => state.settings, now);
  const server = fastify({
    bodyLimit,
    genReqId: newId,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 4096 },
    forceCloseConnections: true,
    // Values are taken as they are: nothing is coerced, filled in or removed.
    ajv: { customOptions: { coerceTypes: false, useDefaults: false, removeAdditional: false, strict: false } },
  });

  // Schemas of the document, to which those of bodies refer.
  server.addSchema({ $id: "api", components: { schemas } });
  server.decorateRequest("caller");
  server.decorateRequest("action");
  parseJsonBodies(server);

  server.addHook("onRequest", async (request, reply) => {
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
    const isOpen = isDescription || path === callerAddressPath;
    if (request.routeOptions.config.operation === undefined && isOpen) return;
    const key = keysIn(request.headers.authorization)[0] ?? request.ip;
    const wait = limiter.take(key, operation?.id === "launchInstance");
    if (wait > 0) return refuse(reply, wait);
    request.caller = authenticate(request.headers.authorization, state.apiKeys);
    if (state.settings.account.state === "inactive") throw accountInactive();
    lifecycle.advance();
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

  server.setNotFoundHandler(async (request, reply) => {
    const methods = methodsAt(request.url.split("?")[0] ?? "");
    if (methods.length === 0) throw notFound();
    reply.header("allow", methods.join(", "));
    throw new ApiError(405, "global/invalid-parameters", "Method Not Allowed");
  });

  server.setErrorHandler(async (error: FastifyError | ApiError, request, reply) => {
    const failure = toApiError(error);
    if (failure.status >= 500 && !(error instanceof ApiError)) options.log(`API: ${error.stack ?? error.message}`);
    return reply.code(failure.status).send(failure.body(request.id));
  });

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

function toApiError(error: FastifyError | ApiError): ApiError {
  if (error instanceof ApiError) return error;
  if (error.validation) return fromSchemaErrors(error.validation, error.validationContext ?? "body");
  if (error.statusCode && error.statusCode < 500) return invalidParameters(error.message);
  return unknownError();
}

/** Methods that there are at a path. */
const methodsAt = (path: string): string[] =>
  operations
    .filter((operation) => new RegExp(`^${basePath}${operation.path.replace("{id}", "[^/]+")}$`).test(path))
    .map((operation) => operation.method.toUpperCase());
