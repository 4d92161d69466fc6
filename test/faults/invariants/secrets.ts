import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { InstanceRecord } from "../../../emulator/state/model";
import type { World } from "../world";

/** How every OpenSSH private key begins, in base64. */
const privateKey = "b3BlbnNzaC1rZXktdjEAAAAA";

/** The key by which the machines of a fleet ask each other, which each holds for its user alone. */
const fleetKey = join(".lambda-train", "fleet", "key");

/** Files beyond this are no text of ours. */
const mostBytes = 2_000_000;

/** The first secret found where none belongs, and where. */
export function findSecret(world: World, output: string, records: readonly InstanceRecord[]): string | undefined {
  const { project, cloud, memory } = world;
  const secrets: Record<string, string> = {
    "an SSH private key": privateKey,
    "the API key": cloud.apiKey,
    "the passphrase": project.env.PULUMI_CONFIG_PASSPHRASE ?? "",
  };
  for (const { id, jupyterToken } of records) secrets[`the jupyter token of ${id}`] = jupyterToken;
  const inText = (text: string): string | undefined =>
    Object.entries(secrets).find(([, secret]) => secret !== "" && text.includes(secret))?.[0];

  const inOutput = inText(output);
  if (inOutput !== undefined) return `The output holds ${inOutput}.`;
  const files = [
    ...changedFiles(project.folder, memory.begun),
    ...records.flatMap(({ id }) => {
      const key = join(memory.homeOf(id), fleetKey);
      return changedFiles(memory.homeOf(id), 0).filter((path) => path !== key || world.machines === 1 || !isOwn(key));
    }),
  ];
  for (const path of files) {
    const found = inText(read(path));
    if (found !== undefined) return `${relative(project.folder, path)} holds ${found}.`;
  }
  return undefined;
}

/** Files written since a time. What the emulator keeps for itself is not the project's. */
function changedFiles(folder: string, since: number): string[] {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      // The dataset is the user's, at both ends, and may have a hundred thousand files.
      const isOther =
        ["node_modules", "dist", "tiny-data"].includes(entry.name) ||
        [join(".local", "cloud"), join("tiny", "data")].some((end) => path.endsWith(end));
      return isOther ? [] : changedFiles(path, since);
    }
    return entry.isFile() && isChanged(path, since) ? [path] : [];
  });
}

/** Whether its user alone can read a file. */
function isOwn(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined || (stat.mode & 0o077) === 0;
}

const entriesOf = (folder: string) => readdirSync(folder, { withFileTypes: true });

function isChanged(path: string, since: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.mtimeMs >= since && stat.size <= mostBytes;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // It is gone again.
    return "";
  }
}
