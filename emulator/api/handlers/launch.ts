import { randomBytes } from "node:crypto";
import { findImage, type Image, newestImage } from "../../catalog/images";
import { findInstanceType, type InstanceType } from "../../catalog/instance-types";
import { findRegion } from "../../catalog/regions";
import { bindFaults } from "../../faults/instances";
import { nextAddress } from "../../network/addresses";
import { mostRules } from "../../network/firewall";
import { newId } from "../../state/ids";
import type { CloudState, InstanceRecord, Mount, Tag } from "../../state/model";
import {
  ApiError,
  doesNotExist,
  insufficientCapacity,
  invalidAddress,
  invalidParameters,
  quotaExceeded,
} from "../errors";
import { defaultMountPoint, holding } from "../present";
import { toOpenSsh } from "../public-key";
import { checkTags, parseId } from "../validation";
import type { Call, Handlers } from "./context";

interface LaunchRequest {
  readonly region_name: string;
  readonly instance_type_name: string;
  readonly ssh_key_names: readonly string[];
  readonly file_system_names?: readonly string[];
  readonly file_system_mounts?: readonly { readonly mount_point: string; readonly file_system_id: string }[];
  readonly hostname?: string;
  readonly name?: string;
  readonly image?: { readonly id?: string; readonly family?: string };
  readonly user_data?: string;
  readonly tags?: readonly Tag[];
  readonly firewall_rulesets?: readonly { readonly id: string }[];
}

const maxUserDataBytes = 1024 * 1024;

export const launchHandlers: Handlers<"launchInstance"> = {
  // The order of the checks: account, what the request names, file systems' region, quota, capacity.
  launchInstance: (call: Call<LaunchRequest>) => {
    const { state, body, inventory, machines } = call;
    if (state.settings.account.state === "invalid-address") throw invalidAddress();
    if (body.tags) checkTags(body.tags);
    if (Buffer.byteLength(body.user_data ?? "") > maxUserDataBytes)
      throw invalidParameters(`Error in request body at 'user_data': should have at most ${maxUserDataBytes} bytes`);

    const type = findInstanceType(body.instance_type_name);
    if (!type) throw doesNotExist(`Instance type ${body.instance_type_name} does not exist.`);
    if (!findRegion(body.region_name)) throw invalidParameters(`Region ${body.region_name} does not exist.`);
    const authorizedKeys = body.ssh_key_names.map((name) => publicKeyOf(state, name));
    const image = imageOf(body, type);
    const mounts = mountsOf(state, body);
    const rulesetIds = rulesetsOf(state, body);
    checkRuleCount(state, rulesetIds);

    if (holding(state).length >= state.settings.quota.instances) throw quotaExceeded();
    const address = nextAddress(state.network, new Set(holding(state).map((instance) => instance.ip)));
    if (!address || !inventory.take(type.name, body.region_name)) throw insufficientCapacity();

    const record: InstanceRecord = {
      id: newId(),
      ...(body.name !== undefined && { name: body.name }),
      status: "booting",
      instanceType: type.name,
      priceCentsPerHour: inventory.priced(type).price_cents_per_hour,
      region: body.region_name,
      sshKeyNames: body.ssh_key_names,
      authorizedKeys,
      mounts,
      image: { id: image.id, family: image.family },
      ...(body.hostname !== undefined && { hostname: body.hostname }),
      tags: (body.tags ?? []).map(({ key, value }) => ({ key, value })),
      rulesetIds,
      ...address,
      ipVisible: false,
      jupyterToken: randomBytes(16).toString("hex"),
      launchedAt: call.now(),
      overlay: {},
    };
    try {
      machines.prepare(record.id, body.user_data);
    } catch (error) {
      inventory.giveBack(type.name, body.region_name);
      throw error;
    }
    state.instances.push(record);
    bindFaults(state, record, true);
    call.audit("instance", "launched", [record.id], { instance_type: type.name, region: body.region_name });
    return { instance_ids: [record.id] };
  },
};

function publicKeyOf(state: CloudState, name: string): string {
  const key = state.sshKeys.find((record) => record.name === name);
  if (!key) throw doesNotExist(`SSH key ${name} does not exist.`);
  return toOpenSsh(key.publicKey);
}

function imageOf(body: LaunchRequest, type: InstanceType): Image {
  const { image, region_name: region } = body;
  const id = image?.id === undefined ? undefined : dashed(parseId(image.id, "body", "image.id"));
  const found = id === undefined ? newestImage(region, type.architecture, image?.family) : findImage(region, id);
  if (!found) throw doesNotExist(`Image ${image?.id ?? image?.family} does not exist in region ${region}.`);
  if (found.architecture !== type.architecture)
    throw invalidParameters(
      `Image ${found.id} is for ${found.architecture}, and instance type ${type.name} is ${type.architecture}.`,
    );
  return found;
}

/** An id as those of images are written. */
const dashed = (id: string): string => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

/** File systems of the request; a mount wins over a name for the same file system. */
function mountsOf(state: CloudState, body: LaunchRequest): Mount[] {
  const mounts = new Map<string, string>();
  for (const name of body.file_system_names ?? []) {
    const record = state.fileSystems.find((fs) => fs.name === name);
    if (!record) throw doesNotExist(`Filesystem ${name} does not exist.`);
    mounts.set(record.id, defaultMountPoint(name));
  }
  for (const [index, { file_system_id, mount_point }] of (body.file_system_mounts ?? []).entries()) {
    const id = parseId(file_system_id, "body", `file_system_mounts.${index}.file_system_id`);
    if (!state.fileSystems.some((fs) => fs.id === id)) throw doesNotExist(`Filesystem ${id} does not exist.`);
    mounts.set(id, mount_point);
  }
  const max = state.settings.quota.fileSystemsPerInstance;
  if (mounts.size > max) throw invalidParameters(`At most ${max} filesystem can be attached to an instance.`);
  for (const id of mounts.keys()) {
    const { name, region } = state.fileSystems.find((fs) => fs.id === id) as { name: string; region: string };
    if (region !== body.region_name)
      throw new ApiError(
        400,
        "instance-operations/launch/file-system-in-wrong-region",
        `Filesystem ${name} is in region ${region}, not in ${body.region_name}.`,
        "Launch in the region of the filesystem.",
      );
  }
  return [...mounts].map(([fileSystemId, mountPoint]) => ({ fileSystemId, mountPoint }));
}

/** More rules than the docs allow are kept, but nothing is launched under them (how it is refused is inferred). */
function checkRuleCount(state: CloudState, rulesetIds: readonly string[]): void {
  const own = state.rulesets.filter(({ id }) => rulesetIds.includes(id)).map(({ rules }) => rules);
  const most = Math.max(...[state.globalRules, ...own].map((rules) => rules.length));
  if (most > mostRules)
    throw invalidParameters(`An instance launches with at most ${mostRules} firewall rules a set, not ${most}.`);
}

function rulesetsOf(state: CloudState, body: LaunchRequest): string[] {
  const ids = (body.firewall_rulesets ?? []).map(({ id }, i) => parseId(id, "body", `firewall_rulesets.${i}.id`));
  for (const id of ids) {
    const ruleset = state.rulesets.find((record) => record.id === id);
    if (!ruleset || ruleset.region !== body.region_name)
      throw doesNotExist("Firewall ruleset does not exist or you do not have permission to access it.");
  }
  return [...new Set(ids)];
}
