import { findRegion } from "../../catalog/regions";
import { newId } from "../../state/ids";
import type { FileSystemRecord } from "../../state/model";
import { ApiError, doesNotExist, invalidAddress, invalidParameters, quotaExceeded } from "../errors";
import { presentFileSystem } from "../present";
import type { Call, Handlers } from "./context";

export const fileSystemHandlers: Handlers<"listFilesystems" | "createFilesystem" | "deleteFilesystem"> = {
  listFilesystems: ({ state, machines }) =>
    state.fileSystems.map((record) => presentFileSystem(state, record, machines.fileSystemBytes(record.id))),

  createFilesystem: (call: Call<{ name: string; region: string }>) => {
    const { state, body, machines } = call;
    if (state.settings.account.state === "invalid-address") throw invalidAddress();
    if (!findRegion(body.region)) throw invalidParameters(`Region ${body.region} does not exist.`);
    if (state.fileSystems.some((fs) => fs.name === body.name))
      throw new ApiError(
        400,
        "global/duplicate",
        `A filesystem named ${body.name} already exists.`,
        "Choose another name.",
      );
    if (state.fileSystems.length >= state.settings.quota.fileSystems) throw quotaExceeded();
    const record: FileSystemRecord = { id: newId(), name: body.name, region: body.region, createdAt: call.now() };
    machines.fileSystemFolder(record.id);
    state.fileSystems.push(record);
    call.audit("filesystem", "created", [record.id], { region: body.region });
    return presentFileSystem(state, record);
  },

  deleteFilesystem: (call) => {
    const { state, machines, id } = call;
    const record = state.fileSystems.find((fs) => fs.id === id);
    if (!record) throw doesNotExist("Filesystem was not found.");
    if (presentFileSystem(state, record).is_in_use)
      throw new ApiError(
        400,
        "filesystems/filesystem-in-use",
        `Filesystem ${record.name} is in use by one or more instances.`,
        "Terminate the instances that use it, then try again.",
      );
    state.fileSystems.splice(state.fileSystems.indexOf(record), 1);
    machines.eraseFileSystem(id);
    call.audit("filesystem", "deleted", [id]);
    return { deleted_ids: [id] };
  },
};
