import { createHash, randomBytes } from "node:crypto";
import { linkSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { readJson } from "../../local/json";
import { projectFolder } from "../../local/paths";

/** Longest value of a tag on Lambda. */
const longest = 128;

/**
 * The file that distinguishes a folder of states from every other, also on a machine of the same name: an id, and where
 * it was made. In a copy of the folder that is another place, and the copy gets an id of its own.
 */
const originFile = ".lambda-train-origin";

/** What stands before the random id in the origin of a folder. */
const idMark = "?id=";

/**
 * Where Pulumi keeps the state of this project's stacks, as a tag says it: `file://<machine><folder>?id=<random>` for a
 * folder, which keeps the id itself, else the backend's URL without user and query. What is rented carries it, so that
 * from elsewhere it is not taken for lost. A folder that cannot be written to has no id, and is never {@link sameOrigin}.
 * Found as the Pulumi CLI does: PULUMI_BACKEND_URL, the project's `backend.url`, the login. Undefined without any.
 * @param make Whether a folder gets an id that has none. Who only compares needs none: nothing carries it.
 */
export function stateOrigin(
  env: NodeJS.ProcessEnv = process.env,
  root = projectFolder(),
  make = true,
): string | undefined {
  const url = env.PULUMI_BACKEND_URL || projectBackend(root) || login(env) || pulumiCloud(env);
  if (url === undefined) return undefined;
  if (url.startsWith("file://")) {
    const folder = folderOf(url, root);
    const place = `file://${hostname()}${folder}`;
    const id = make ? ownId(folder) : readId(folder);
    return id === undefined
      ? place.slice(0, longest)
      : place.slice(0, longest - idMark.length - id.length) + idMark + id;
  }
  const origin = withoutSecrets(url);
  if (origin.length <= longest) return origin;
  const hash = createHash("sha256").update(origin).digest("hex").slice(0, 16);
  return `${origin.slice(0, longest - hash.length - 1)}#${hash}`;
}

/**
 * Whether two origins are the same place for certain. Of a folder machine, path and id must all be equal: machine and
 * path are so on cloned machines and in containers, the id in copies of the folder. Releases before wrote no id.
 */
export function sameOrigin(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one === other && (!one.startsWith("file://") || /\?id=[0-9a-f]{32}$/.test(one));
}

/** The id of a folder of states, which gets one where it has none of its own. Undefined where it cannot be written. */
function ownId(folder: string): string | undefined {
  const known = readOrigin(folder);
  if (known?.place !== undefined && known.place === placeOf(folder)) return known.id;
  const file = join(folder, originFile);
  const made = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  // Releases before did not say where they made an id: it is taken for this folder's.
  const id = known !== undefined && known.place === undefined ? known.id : randomBytes(16).toString("hex");
  try {
    writeFileSync(made, `${id} ${placeOf(folder)}\n`, { flag: "wx" });
    if (known !== undefined) renameSync(made, file);
    // Of several processes that make one at the same time, the first one's counts.
    else linkSync(made, file);
  } catch {
    // It is there by now, or cannot be made.
  } finally {
    rmSync(made, { force: true });
  }
  return readId(folder);
}

/** The id that was made for this folder; undefined without one. */
function readId(folder: string): string | undefined {
  const known = readOrigin(folder);
  return known?.place === undefined || known.place === placeOf(folder) ? known?.id : undefined;
}

function readOrigin(folder: string): { readonly id: string; readonly place?: string } | undefined {
  try {
    const text = readFileSync(join(folder, originFile), "utf8").trim();
    const [, id, place] = /^([0-9a-f]{32})(?: ([0-9a-f]+))?$/.exec(text) ?? [];
    return id === undefined ? undefined : { id, place };
  } catch {
    return undefined;
  }
}

/** What a copy of the folder does not have, here or on another machine: the folder's own number, and the machine's. */
function placeOf(folder: string): string {
  const { ino } = statSync(folder);
  let machine = hostname();
  try {
    machine = readFileSync("/etc/machine-id", "utf8").trim();
  } catch {
    // Other systems have none.
  }
  return createHash("sha256").update(`${machine} ${folder} ${ino}`).digest("hex").slice(0, 16);
}

function projectBackend(root: string): string | undefined {
  try {
    const project = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { backend?: { url?: string } } | null;
    return project?.backend?.url;
  } catch {
    return undefined;
  }
}

function login(env: NodeJS.ProcessEnv): string | undefined {
  const folder = env.PULUMI_CREDENTIALS_PATH || env.PULUMI_HOME || join(homedir(), ".pulumi");
  const { current } = (readJson(join(folder, "credentials.json")) ?? {}) as { current?: string };
  return current || undefined;
}

/** A token alone is a login to Pulumi Cloud, as in a CI job. */
function pulumiCloud({ PULUMI_ACCESS_TOKEN: token, PULUMI_API: api }: NodeJS.ProcessEnv): string | undefined {
  return token ? api || "https://api.pulumi.com" : undefined;
}

/** The real folder, so that a link to it is the same place. */
function folderOf(url: string, root: string): string {
  const path = decodeURIComponent(url.slice("file://".length).replace(/\?.*$/, "")).replace(/^~(?=\/|$)/, homedir());
  const folder = path.startsWith("/") ? path : join(root, path);
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function withoutSecrets(url: string): string {
  return url.replace(/[?#].*$/, "").replace(/:\/\/[^/@]*@/, "://");
}
