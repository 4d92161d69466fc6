import { createDecipheriv, createHash, pbkdf2 } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readJson } from "../../local/json";
import { projectFolder } from "../../local/paths";
import { projectName, secretSignature } from "./names";

/*
 * What Pulumi keeps in a folder (`PULUMI_BACKEND_URL=file://…`) can be read without the CLI, which takes half a second to
 * start. Whatever is not as it is known here is left to the CLI: then the answer is undefined.
 */

/** The folder of the backend; undefined for another kind of backend. */
export function backendFolder(url = process.env.PULUMI_BACKEND_URL ?? ""): string | undefined {
  return url.startsWith("file://") ? fileURLToPath(url.replace(/\?.*$/, "")) : undefined;
}

/** The file of a stack's state, if there is one. */
export function stateFile(stack: string): string | undefined {
  const folder = backendFolder();
  if (folder === undefined || stack.includes("/")) return undefined;
  const file = join(folder, ".pulumi", "stacks", projectName(), `${stack}.json`);
  return existsSync(file) ? file : undefined;
}

/** The stack that is selected in the project, if it is there. */
export function selectedHere(): string | undefined {
  const home = process.env.PULUMI_HOME || join(homedir(), ".pulumi");
  const key = createHash("sha1").update(join(projectFolder(), "Pulumi.yaml")).digest("hex");
  const file = join(home, "workspaces", `${projectName()}-${key}-workspace.json`);
  const { stacks } = (readJson(file) ?? {}) as { readonly stacks?: Readonly<Record<string, unknown>> };
  const selected = stacks?.[process.env.PULUMI_BACKEND_URL ?? ""];
  const [, stack] = /^organization\/[^/]+\/([^/]+)$/.exec(typeof selected === "string" ? selected : "") ?? [];
  return stack !== undefined && stateFile(stack) !== undefined ? stack : undefined;
}

/** A stack's state with its secrets, as `pulumi stack export --show-secrets` prints it. */
export async function stateOf(stack: string): Promise<string | undefined> {
  const file = stateFile(stack);
  const { version, checkpoint } = ((file && readJson(file)) ?? {}) as Stored;
  const deployment = checkpoint?.latest;
  if (version !== 3 || deployment === undefined) return undefined;
  const { type, state } = deployment.secrets_providers ?? {};
  const decrypt = type === "passphrase" ? await decryptor(state?.salt ?? "") : undefined;
  try {
    return decrypt && JSON.stringify({ version, deployment: shown(deployment, decrypt) });
  } catch {
    return undefined;
  }
}

interface Stored {
  readonly version?: number;
  readonly checkpoint?: {
    readonly latest?: {
      readonly secrets_providers?: { readonly type?: string; readonly state?: { readonly salt?: string } };
    };
  };
}

/** Takes `v1:` and a nonce and a text in base64. */
type Decrypt = (encrypted: string) => string;

/** @param salt `v1:` and the salt in base64, and after it a word by which one knows the passphrase. */
async function decryptor(salt: string): Promise<Decrypt | undefined> {
  const [, salted, known] = /^v1:([^:]+):(v1:.+)$/.exec(salt) ?? [];
  const phrase = passphrase();
  if (salted === undefined || known === undefined || phrase === undefined) return undefined;
  const key = await promisify(pbkdf2)(phrase, Buffer.from(salted, "base64"), 1_000_000, 32, "sha256");
  const decrypt: Decrypt = (encrypted) => {
    const [, nonce = "", text = ""] = /^v1:([^:]+):([^:]+)$/.exec(encrypted) ?? [];
    const bytes = Buffer.from(text, "base64");
    const cipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
    cipher.setAuthTag(bytes.subarray(-16));
    return Buffer.concat([cipher.update(bytes.subarray(0, -16)), cipher.final()]).toString();
  };
  try {
    return decrypt(known) === "pulumi" ? decrypt : undefined;
  } catch {
    return undefined;
  }
}

function passphrase(): string | undefined {
  const { PULUMI_CONFIG_PASSPHRASE: own, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (own !== undefined) return own;
  return file !== undefined && existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

/** A value with its secrets decrypted, at any depth. */
function shown(value: unknown, decrypt: Decrypt): unknown {
  if (Array.isArray(value)) return value.map((each) => shown(each, decrypt));
  if (typeof value !== "object" || value === null) return value;
  const { [secretSignature]: signature, ciphertext } = value as Readonly<Record<string, unknown>>;
  if (signature !== undefined && typeof ciphertext === "string") {
    return { [secretSignature]: signature, plaintext: decrypt(ciphertext) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shown(each, decrypt)]));
}
