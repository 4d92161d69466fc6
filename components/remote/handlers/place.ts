import { resolve } from "node:path";
import { SshError } from "../../../remote/session";
import type { SshAccess } from "../../../remote/types";

/** Inputs of every handler that works over SSH. */
export interface OnInstance {
  readonly instanceId: string;
  readonly access: SshAccess;
}

/** The local path that the state holds. The provider process runs in the project's folder. */
export function localPath(path: string): string {
  return resolve(path);
}

/** Whether an error says that the instance cannot be reached now: nothing is known of what runs there. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof SshError && ["connect", "timeout", "lost", "auth"].includes(error.facts.kind);
}
