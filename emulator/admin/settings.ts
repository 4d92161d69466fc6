import type { FastifyInstance } from "fastify";
import { findInstanceType, instanceTypes } from "../catalog/instance-types";
import { findRegion, regions } from "../catalog/regions";
import { bill, total } from "../lifecycle/billing";
import { patchSettings, type SettingsPatch } from "../settings";
import { newApiKey } from "../state/ids";
import type { Capacity } from "../state/model";
import { AdminError, type AdminParts } from "./parts";

export interface CapacityChange extends Partial<Capacity> {
  readonly instanceType: string;
  readonly region: string;
}

const names = (things: readonly { readonly name: string }[]) => things.map((thing) => thing.name).join(", ");

function knownType(name: string): string {
  if (!findInstanceType(name)) throw new AdminError(`No instance type ${name}. There are: ${names(instanceTypes)}.`);
  return name;
}

function knownRegion(name: string): string {
  if (!findRegion(name)) throw new AdminError(`No region ${name}. There are: ${names(regions)}.`);
  return name;
}

/** State, ledger, calls, settings, capacity, prices and API keys. */
export function settingsRoutes(
  server: FastifyInstance,
  { state, calls, inventory, now, onSettings }: AdminParts,
): void {
  server.get("/state", async () => ({
    ...state,
    apiKeys: state.apiKeys.map(({ id, name }) => ({ id, name })),
  }));

  server.get("/ledger", async () => {
    const entries = state.ledger.map((entry) => bill(entry, now()));
    return { entries, totalCents: total(entries) };
  });

  server.get<{ Querystring: { since?: string } }>("/calls", async ({ query }) => calls.since(Number(query.since ?? 0)));

  server.get("/settings", async () => state.settings);
  server.patch<{ Body: SettingsPatch }>("/settings", async ({ body }) => {
    try {
      state.settings = patchSettings(state.settings, body);
    } catch (error) {
      throw new AdminError((error as Error).message);
    }
    onSettings(state.settings);
    return state.settings;
  });

  server.get("/inventory", async () =>
    instanceTypes.map((type) => ({
      ...inventory.priced(type),
      capacity: Object.fromEntries(regions.map(({ name }) => [name, inventory.capacity(type.name, name)])),
    })),
  );

  server.put<{ Body: CapacityChange }>("/capacity", async ({ body }) => {
    const { instanceType, region, free, listed } = body;
    if (free !== undefined && free !== null && !(Number.isInteger(free) && free >= 0))
      throw new AdminError(`free must be null (any number) or a whole number from 0, not ${JSON.stringify(free)}.`);
    if (listed !== undefined && listed !== "auto" && typeof listed !== "boolean")
      throw new AdminError(`listed must be true, false or "auto", not ${JSON.stringify(listed)}.`);
    const change = { ...(free !== undefined && { free }), ...(listed !== undefined && { listed }) };
    // `*` stands for all, so that a test can sell out everything at once.
    const types = instanceType === "*" ? instanceTypes.map((type) => type.name) : [knownType(instanceType)];
    const places = region === "*" ? regions.map((place) => place.name) : [knownRegion(region)];
    for (const type of types) for (const place of places) inventory.setCapacity(type, place, change);
    return { changed: types.length * places.length };
  });

  server.put<{ Body: { instanceType: string; centsPerHour: number } }>("/prices", async ({ body }) => {
    if (!(Number.isInteger(body.centsPerHour) && body.centsPerHour >= 0))
      throw new AdminError(`centsPerHour must be a whole number from 0, not ${JSON.stringify(body.centsPerHour)}.`);
    state.prices[knownType(body.instanceType)] = body.centsPerHour;
    return state.prices;
  });

  server.post<{ Body: { name?: string } }>("/keys", async ({ body }) => {
    const key = newApiKey(body?.name ?? "key");
    state.apiKeys.push(key);
    return key;
  });
  server.delete<{ Params: { id: string } }>("/keys/:id", async ({ params }) => {
    const index = state.apiKeys.findIndex((key) => key.id === params.id);
    if (index < 0) throw new AdminError(`No API key ${params.id}. GET /state lists them.`);
    state.apiKeys.splice(index, 1);
    return {};
  });
}
