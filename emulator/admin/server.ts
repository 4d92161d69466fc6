import { randomBytes } from "node:crypto";
import fastify, { type FastifyInstance } from "fastify";
import { faultRoutes } from "./faults";
import { instanceRoutes } from "./instances";
import { maintenanceRoutes } from "./maintenance";
import type { AdminParts } from "./parts";
import { settingsRoutes } from "./settings";

/**
 * The admin surface: what only the cloud's own people could do. JSON in and out, errors as `{"error": "…"}`.
 *
 * @returns the server and the path that every address begins with; a secret, since the server has no other lock
 */
export function adminServer(parts: AdminParts): { server: FastifyInstance; path: string } {
  const server = fastify({ forceCloseConnections: true });
  const path = `/${randomBytes(16).toString("hex")}`;
  server.register(
    async (scope) => {
      scope.addHook("onRequest", async () => parts.lifecycle.advance());
      // What was changed is on disk before the answer.
      scope.addHook("onSend", async (request) => {
        if (request.method !== "GET") parts.store.commit();
      });
      settingsRoutes(scope, parts);
      instanceRoutes(scope, parts);
      faultRoutes(scope, parts);
      maintenanceRoutes(scope, parts);
    },
    { prefix: path },
  );
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) =>
    reply.code(error.statusCode ?? 500).send({ error: error.message }),
  );
  server.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: "No such admin address." }));
  return { server, path };
}
