import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFolder } from "./paths";

/** Longest value of a tag on Lambda. */
const longest = 128;

/**
 * Where Pulumi keeps the state of this project's stacks, as a tag says it: `file://<machine><folder>` for a folder, else
 * the backend's URL without user and query. What is rented carries it, so that from elsewhere it is not taken for lost.
 * Found as the Pulumi CLI does: PULUMI_BACKEND_URL, the project's `backend.url`, the login. Undefined without any.
 */
export function stateOrigin(env: NodeJS.ProcessEnv = process.env, root = projectFolder()): string | undefined {
  const url = env.PULUMI_BACKEND_URL || projectBackend(root) || login(env);
  if (url === undefined) return undefined;
  const origin = url.startsWith("file://") ? `file://${hostname()}${folderOf(url, root)}` : withoutSecrets(url);
  if (origin.length <= longest) return origin;
  const hash = createHash("sha256").update(origin).digest("hex").slice(0, 16);
  return `${origin.slice(0, longest - hash.length - 1)}#${hash}`;
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
