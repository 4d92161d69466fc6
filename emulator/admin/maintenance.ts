import type { FastifyInstance } from "fastify";
import { newId } from "../state/ids";
import type { MaintenanceRecord } from "../state/model";
import { AdminError, type AdminParts } from "./parts";

/** Maintenance to be announced. Times are real seconds from now. */
export interface NewMaintenance {
  readonly instanceIds: readonly string[];
  readonly detail?: string;
  /** Default `critical_with_deadline`. */
  readonly urgency?: MaintenanceRecord["urgency"];
  /** When it begins. Absent: at any moment, as an emergency; it then begins when its status is set. */
  readonly inSeconds?: number;
  /** The latest time to which its begin can be moved. */
  readonly deadlineInSeconds?: number;
  readonly endsInSeconds?: number;
}

const statuses: readonly MaintenanceRecord["status"][] = ["scheduled", "in_progress", "completed", "canceled"];

/** Maintenance of the hosts of instances: announced, and moved on by hand. */
export function maintenanceRoutes(server: FastifyInstance, { state, lifecycle, now }: AdminParts): void {
  server.post<{ Body: NewMaintenance }>("/maintenance", async ({ body }) => {
    const { instanceIds, detail = "Host maintenance", urgency = "critical_with_deadline" } = body;
    const unknown = instanceIds.find((id) => !state.instances.some((record) => record.id === id));
    if (unknown !== undefined) throw new AdminError(`No instance ${unknown}. GET /state lists them.`);
    const at = (seconds: number | undefined) => (seconds === undefined ? undefined : now() + seconds * 1000);
    const event: MaintenanceRecord = {
      ...{ id: newId(), instanceIds, detail, urgency, status: "scheduled", lastUpdated: now() },
      notBefore: at(body.inSeconds),
      notBeforeDeadline: at(body.deadlineInSeconds),
      notAfter: at(body.endsInSeconds),
    };
    state.maintenance.push(event);
    lifecycle.advance();
    return event;
  });

  server.put<{ Params: { id: string }; Body: Pick<MaintenanceRecord, "status"> }>(
    "/maintenance/:id/status",
    async ({ params, body }) => {
      const event = state.maintenance.find(({ id }) => id === params.id);
      if (event === undefined) throw new AdminError(`No maintenance ${params.id}. GET /state lists it.`);
      if (!statuses.includes(body.status))
        throw new AdminError(`status must be one of ${statuses.join(", ")}, not ${JSON.stringify(body.status)}.`);
      // One that is told to begin does so as one whose time has come.
      if (body.status === "in_progress" && event.status === "scheduled") event.notBefore = now();
      else Object.assign(event, { status: body.status, lastUpdated: now() });
      lifecycle.advance();
      return event;
    },
  );
}
