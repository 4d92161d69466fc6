import type { FastifyInstance } from "fastify";
import type { InstanceRecord } from "../state/model";
import { AdminError, type AdminParts } from "./parts";

/** A file to be put into an instance. */
export interface OverlayRequest {
  /** Absolute path in the instance; below `/usr` only `/usr/local` can be written. */
  readonly path: string;
  readonly content: string;
  /** Octal permission bits. Default `0755`. */
  readonly mode?: string;
}

/** What can be done to one instance. */
export function instanceRoutes(server: FastifyInstance, { state, lifecycle, machines }: AdminParts): void {
  const find = (id: string): InstanceRecord => {
    const record = state.instances.find((instance) => instance.id === id);
    if (!record) throw new AdminError(`No instance ${id}. GET /state lists them.`);
    return record;
  };

  server.get<{ Params: { id: string } }>("/instances/:id", async ({ params }) => ({
    ...find(params.id),
    power: machines.power(params.id),
  }));

  server.post<{ Params: { id: string } }>("/instances/:id/terminate", async ({ params }) => {
    lifecycle.terminateFromOutside(find(params.id));
    return {};
  });

  server.post<{ Params: { id: string } }>("/instances/:id/restart", async ({ params }) => {
    lifecycle.restart(find(params.id));
    return {};
  });

  server.post<{ Params: { id: string } }>("/instances/:id/drop-connections", async ({ params }) => ({
    dropped: machines.dropConnections(find(params.id).id),
  }));

  server.post<{ Params: { id: string }; Body: OverlayRequest }>("/instances/:id/files", async ({ params, body }) => {
    const record = find(params.id);
    const { path, content, mode = "0755" } = body;
    if (!path?.startsWith("/") || (path.startsWith("/usr/") && !path.startsWith("/usr/local/")))
      throw new AdminError(`path must be absolute and not in /usr (but for /usr/local), not ${JSON.stringify(path)}.`);
    if (!/^0?[0-7]{3,4}$/.test(mode)) throw new AdminError(`mode must be octal, such as 0755, not ${mode}.`);
    record.overlay[path] = { content: Buffer.from(content).toString("base64"), mode };
    await machines.layOverlay(record);
    return {};
  });
}
