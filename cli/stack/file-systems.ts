import { deleteUnused } from "../../lambda/account/deletion";
import type { Cloud } from "../../lambda/api/connect";
import { type FileSystem, isEnding } from "../../lambda/api/schemas";
import { rentPerMonth } from "../../lambda/billing/rent";
import { CommandError, exitCodes } from "../terminal/command";
import { stackFileConfig } from "./pulumi";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

/** A file system that a stack keeps, and what it costs. null: Lambda doesn't tell. */
export interface FileSystemCost {
  readonly name: string;
  readonly region: string | null;
  readonly bytesUsed: number | null;
  readonly dollarsPerMonth: number | null;
}

/** What a stack's file system costs as long as it exists, with or without an instance: none without one, or without an answer. */
export async function fileSystemCosts(stack: string): Promise<FileSystemCost[]> {
  const { fileSystem, endpoint } = stackFileConfig(stack);
  if (fileSystem === undefined) return [];
  const listed = await connectStack({ stack, endpoint })
    .then(({ client }) => client.listFileSystems())
    .catch((): FileSystem[] => []);
  return listed.filter(({ name }) => name === fileSystem).map(costOf);
}

/** What a file system costs. */
export function costOf(fileSystem: Pick<FileSystem, "name" | "region" | "bytesUsed">): FileSystemCost {
  const { name, region = null, bytesUsed = null } = fileSystem;
  return { name, region, bytesUsed, dollarsPerMonth: rentPerMonth(fileSystem) ?? null };
}

/**
 * Sees that a stack's file system may be deleted once the stack is gone. Gives what deletes it then.
 * @throws CommandError where it is another stack's, or not there, or others use it.
 */
export async function deletable(
  stack: string,
  name: string,
  view: StackView | undefined,
): Promise<() => Promise<void>> {
  const { fileSystem, endpoint } = stackFileConfig(stack);
  const own = [fileSystem, ...(view?.machines ?? []).map((machine) => machine.fileSystem?.name)];
  const fault = (text: string): CommandError => new CommandError(`Nothing was deleted. ${text}`, exitCodes.usage);
  if (!own.includes(name)) {
    const has = own.find((each) => each !== undefined);
    throw fault(
      `${name} isn't the file system of stack ${stack}${has === undefined ? ": it has none" : `, but ${has}`}.`,
    );
  }
  const cloud = await connectStack({ stack, endpoint });
  const found = (await cloud.client.listFileSystems()).find((each) => each.name === name);
  if (found === undefined) throw fault(`There is no file system ${name} in the account.`);
  const others = await otherUsers(cloud, name, view);
  if (others.length > 0) {
    throw fault(
      `Other instances use file system ${name}: ${others.join(", ")}. Terminate them first, or leave --delete-file-system out.`,
    );
  }
  return async () => {
    await deleteUnused(cloud, `file system ${name}`, () => cloud.client.deleteFileSystem(found.id));
    console.error(`File system ${name} is deleted, with all that it held.`);
  };
}

/** Instances that have a file system attached, and are not the stack's. */
async function otherUsers({ client }: Cloud, fileSystem: string, view: StackView | undefined): Promise<string[]> {
  const machines = view?.machines ?? [];
  const ids = machines.map(({ instance }) => instance?.id);
  const names = machines.flatMap(({ claims }) => claims?.names ?? []);
  return (await client.listInstances())
    .filter(({ fileSystemNames, status }) => fileSystemNames.includes(fileSystem) && !isEnding(status))
    .filter(({ id, name = "" }) => !ids.includes(id) && !names.includes(name))
    .map(({ id, name }) => (name === undefined ? id : `${name} (${id})`));
}
