import { deleteUnused } from "../../lambda/account/deletion";
import type { Cloud } from "../../lambda/api/connect";
import type { FileSystem } from "../../lambda/api/schemas";
import { createdOrFound } from "../../lambda/life/unclear";
import { closest } from "../../plan/closest";
import { Failures, isText } from "../dynamic/checks";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler } from "../dynamic/handler";
import { connect } from "./cloud";

interface FileSystemInputs {
  readonly name: string;
  readonly region: string;
  /** All regions that may be used: one of them that it has already needs no other. */
  readonly regions?: readonly string[];
  readonly create: boolean;
  readonly deleteOnDestroy?: boolean;
  readonly endpoint?: string;
}

interface FileSystemOutputs extends FileSystemInputs {
  readonly mountPoint: string;
  readonly created: boolean;
}

/** The life of a file system. */
export const handler: DynamicHandler<FileSystemInputs, FileSystemOutputs> = {
  check: (news) => {
    const failures = new Failures();
    const isName = (name: string): boolean => isText(name, 1, 60) && /^[a-zA-Z]+[0-9a-zA-Z-]*$/.test(name);
    failures.require("name", news.name, isName, "must be 1 to 60 letters, digits and dashes, a letter first");
    failures.require("region", news.region, (region) => isText(region), "must be a region like us-east-1");
    return { inputs: { ...news, create: news.create ?? false }, failures: failures.list };
  },
  diff: (_id, olds, news) => {
    const stays = news.regions?.includes(olds.region) === true;
    return diffByName(olds, stays ? { ...news, region: olds.region } : news, {
      replace: ["name", "region", "endpoint"],
      update: ["create", "deleteOnDestroy"],
    });
  },
  create: async (inputs, context) => {
    const cloud = connect(inputs.endpoint, context);
    const existing = await named(cloud, inputs);
    if (existing === undefined && !inputs.create) throw await missing(cloud, inputs);
    const fileSystem = existing ?? (await make(cloud, inputs));
    return { id: fileSystem.id, outs: outsOf(inputs, fileSystem, existing === undefined) };
  },
  read: async (id, props, context) => {
    const fileSystems = await connect(props.endpoint, context).client.listFileSystems();
    const found = fileSystems.find((each) => each.id === id);
    if (found === undefined) return undefined;
    const { create = false, created = false, deleteOnDestroy, endpoint } = props;
    const inputs = {
      name: found.name,
      region: found.region ?? props.region ?? "",
      create,
      deleteOnDestroy,
      endpoint,
    };
    return { id, props: outsOf(inputs, found, created), inputs };
  },
  update: async (_id, olds, news) => ({ ...olds, create: news.create, deleteOnDestroy: news.deleteOnDestroy }),
  delete: async (id, props, context) => {
    if (!props.created) return;
    if (props.deleteOnDestroy !== true) {
      const { name, region } = props;
      context.progress(`file system ${name} in ${region} is kept with all that it holds, and is billed by its size`);
      return;
    }
    const cloud = connect(props.endpoint, context);
    await deleteUnused(cloud, `file system ${props.name}`, () => cloud.client.deleteFileSystem(id), context.status);
  },
};

function outsOf(inputs: FileSystemInputs, { mountPoint }: FileSystem, created: boolean): FileSystemOutputs {
  const { name, region, create, deleteOnDestroy, endpoint } = inputs;
  return { name, region, create, deleteOnDestroy, endpoint, mountPoint, created };
}

/** The account's file system of this name. Throws where it is in another region. */
async function named(cloud: Cloud, { name, region }: FileSystemInputs): Promise<FileSystem | undefined> {
  const found = (await cloud.client.listFileSystems()).find((each) => each.name === name);
  if (found?.region !== undefined && found.region !== region) {
    throw new Error(
      `File system ${name} is in ${found.region}, not in ${region}, and can only be attached in its own region: ` +
        `set regions to [${found.region}], leave it out, or name another file system.`,
    );
  }
  return found;
}

function make(cloud: Cloud, inputs: FileSystemInputs): Promise<FileSystem> {
  const { name, region } = inputs;
  return createdOrFound(
    cloud,
    () => cloud.client.createFileSystem({ name, region }),
    () => named(cloud, inputs),
  );
}

async function missing(cloud: Cloud, { name }: FileSystemInputs): Promise<Error> {
  const names = (await cloud.client.listFileSystems()).map((each) => each.name);
  const near = closest(name, names);
  const known = near.length > 0 ? near.join(", ") : names.join(", ") || "none";
  return new Error(
    `File system ${name} does not exist. The account has: ${known}. Correct the name, or let the stack create it.`,
  );
}
