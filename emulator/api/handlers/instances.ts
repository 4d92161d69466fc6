import type { InstanceRecord, Tag } from "../../state/model";
import { ApiError, doesNotExist, invalidParameters, unknownError } from "../errors";
import { findInstance, listed, presentInstance } from "../present";
import { checkTags, parseId } from "../validation";
import type { Call, Handlers } from "./context";

type Ids = { readonly instance_ids: readonly string[] };

/** The instances that a batch names; one that does not exist fails the whole batch. */
function batch(call: Call<Ids>): InstanceRecord[] {
  const ids = call.body.instance_ids.map((id, index) => parseId(id, "body", `instance_ids.${index}`));
  return [...new Set(ids)].map((id) => {
    const record = findInstance(call.state, id);
    // Those that ended can be read, but not acted upon.
    if (record.status === "terminated" || record.status === "preempted")
      throw doesNotExist("Specified instance does not exist.");
    return record;
  });
}

const conflict = () =>
  new ApiError(409, "global/conflict", "The request conflicts with the current state of the resource.");

/** The instances of a batch, all of them up and none busy. @throws ApiError 409 */
function restartable(call: Call<Ids>): InstanceRecord[] {
  const records = batch(call);
  if (records.some((r) => !["active", "unhealthy"].includes(r.status) || r.restartingAt !== undefined))
    throw conflict();
  return records;
}

function restarted(call: Call<Ids>, records: readonly InstanceRecord[], action: string) {
  call.audit(
    "instance",
    action,
    records.map((record) => record.id),
  );
  return records.map((record) => presentInstance(call.state, record));
}

export const instanceHandlers: Handlers<
  "listInstances" | "getInstance" | "updateInstance" | "restartInstance" | "powerCycleInstance" | "terminateInstance"
> = {
  listInstances: ({ state, query }) =>
    // There are no clusters here, so that no instance is in the one asked for.
    query.cluster_id ? [] : listed(state).map((record) => presentInstance(state, record)),

  getInstance: ({ state, id }) => presentInstance(state, findInstance(state, id)),

  updateInstance: (call: Call<{ name?: string; tags?: Tag[] }>) => {
    const { state, body, id } = call;
    const record = findInstance(state, id);
    if (body.tags) checkTags(body.tags);
    if (body.name !== undefined) record.name = body.name;
    if (body.tags) record.tags = body.tags.map(({ key, value }) => ({ key, value }));
    call.audit("instance", "updated", [id]);
    return presentInstance(state, record);
  },

  restartInstance: (call: Call<Ids>) => {
    const records = restartable(call);
    for (const record of records) call.lifecycle.restart(record);
    return { restarted_instances: restarted(call, records, "restarted") };
  },

  // As NVIDIA's NVSentinel calls it (August 2026): the answer shows each instance in its status of before.
  powerCycleInstance: (call: Call<Ids>) => {
    const records = restartable(call);
    for (const record of records) call.lifecycle.powerCycle(record);
    return { power_cycled_instances: restarted(call, records, "power_cycled") };
  },

  terminateInstance: (call: Call<Ids>) => {
    const { state, lifecycle } = call;
    const { quirks } = state.settings;
    const records = batch(call);
    if (quirks.doubleTerminate === "error" && records.some((record) => record.status === "terminating"))
      throw unknownError();
    if (!quirks.terminateWhileBooting && records.some((record) => record.status === "booting"))
      throw invalidParameters("An instance cannot be terminated while it is booting.");
    for (const record of records) if (record.status !== "terminating") lifecycle.terminate(record);
    call.audit(
      "instance",
      "terminated",
      records.map((record) => record.id),
    );
    return { terminated_instances: records.map((record) => presentInstance(state, record)) };
  },
};
