import { createHash, randomBytes } from "node:crypto";
import { linkSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFolder } from "../../local/paths";

/** Longest value of a tag on Lambda. */
const longest = 128;

/** The file that distinguishes a folder of states from every other, also on a machine of the same name. */
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
  const url = env.PULUMI_BACKEND_URL || projectBackend(root) || login(env);
  if (url === undefined) return undefined;
  if (url.startsWith("file://")) {
    const folder = folderOf(url, root);
    const place = `file://${hostname()}${folder}`;
    const id = readId(join(folder, originFile)) ?? (make ? makeId(folder) : undefined);
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
 * Whether two origins are the same place for certain. Of a folder its id decides: machine and path are equal on cloned
 * machines and in containers, and differ where one folder is mounted twice. Releases before wrote no id.
 */
export function sameOrigin(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  const id = idIn(one);
  if (id !== undefined) return id === idIn(other);
  return one === other && !one.startsWith("file://");
}

function idIn(origin: string): string | undefined {
  return origin.startsWith("file://") ? /\?id=([0-9a-f]{32})$/.exec(origin)?.[1] : undefined;
}

/** Gives a folder of states its id. Undefined where it cannot be written. */
function makeId(folder: string): string | undefined {
  const file = join(folder, originFile);
  const made = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(made, `${randomBytes(16).toString("hex")}\n`, { flag: "wx" });
    // Of several processes that make one at the same time, the first one's counts.
    linkSync(made, file);
  } catch {
    // It is there by now, or cannot be made.
  } finally {
    rmSync(made, { force: true });
  }
  return readId(file);
}

function readId(file: string): string | undefined {
  try {
    return /^[0-9a-f]{32}$/.exec(readFileSync(file, "utf8").trim())?.[0];
  } catch {
    return undefined;
  }
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
  try {
    const { current } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8")) as { current?: string };
    return current || undefined;
  } catch {
    return undefined;
  }
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
