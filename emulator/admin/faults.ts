import type { FastifyInstance } from "fastify";
import { bindFaults } from "../faults/instances";
import type { ApiFault, InstanceFault, LinkFault } from "../faults/model";
import { newId } from "../state/ids";
import { AdminError, type AdminParts } from "./parts";

/** A fault as it is asked for: the rest is the emulator's own book-keeping. */
export type NewApiFault = Omit<ApiFault, "id" | "seen" | "fired">;
export type NewInstanceFault = Omit<InstanceFault, "id" | "boundTo">;
export type NewLinkFault = Omit<LinkFault, "id" | "fired">;

const fields = {
  api: ["match", "skip", "times", "probability", "action"],
  instance: ["match", "times", "trouble"],
  link: ["match", "times", "trouble"],
};

/** Refuses what no fault has, so that a misspelt one does not pass in silence. */
function check(kind: keyof typeof fields, body: object): void {
  const odd = Object.keys(body ?? {}).filter((key) => !fields[kind].includes(key));
  if (odd.length > 0) throw new AdminError(`No field ${odd.join(", ")} of a fault. Known: ${fields[kind].join(", ")}.`);
  const needed = kind === "api" ? "action" : "trouble";
  if (!(needed in (body ?? {}))) throw new AdminError(`A fault needs the field ${needed}.`);
}

/** Faults of all kinds: added, listed, removed one by one or all together. They stay until then, also on disk. */
export function faultRoutes(server: FastifyInstance, { state }: AdminParts): void {
  server.get("/faults", async () => ({
    api: state.apiFaults,
    instances: state.instanceFaults,
    links: state.linkFaults,
  }));

  server.post<{ Body: NewApiFault }>("/faults/api", async ({ body }) => {
    check("api", body);
    const fault: ApiFault = { ...body, match: body.match ?? {}, id: newId(), seen: 0, fired: 0 };
    state.apiFaults.push(fault);
    return fault;
  });

  server.post<{ Body: NewInstanceFault }>("/faults/instances", async ({ body }) => {
    check("instance", body);
    const fault: InstanceFault = { ...body, match: body.match ?? {}, id: newId(), boundTo: [] };
    state.instanceFaults.push(fault);
    for (const record of state.instances) bindFaults(state, record, false);
    return fault;
  });

  server.post<{ Body: NewLinkFault }>("/faults/links", async ({ body }) => {
    check("link", body);
    const fault: LinkFault = { ...body, match: body.match ?? {}, id: newId(), fired: 0 };
    state.linkFaults.push(fault);
    return fault;
  });

  server.delete("/faults", async () => {
    state.apiFaults = [];
    state.instanceFaults = [];
    state.linkFaults = [];
    return {};
  });

  server.delete<{ Params: { id: string } }>("/faults/:id", async ({ params }) => {
    const lists = [state.apiFaults, state.instanceFaults, state.linkFaults] as { id: string }[][];
    for (const list of lists) {
      const index = list.findIndex((fault) => fault.id === params.id);
      if (index >= 0) {
        list.splice(index, 1);
        return {};
      }
    }
    throw new AdminError(`No fault ${params.id}. GET /faults lists them.`);
  });
}
