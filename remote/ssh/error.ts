import type { SshAccess } from "../types";

/**
 * What went wrong on an SSH connection:
 * `connect` no TCP connection or no SSH handshake · `auth` the login was refused · `host-key` the machine is not ours ·
 * `timeout` no answer in time · `lost` an established connection broke · `exit` a command ended with a status that is
 * an error to the caller.
 */
export type SshErrorKind = "connect" | "auth" | "host-key" | "timeout" | "lost" | "exit";

/** Facts about an SSH failure, for callers that decide by them. */
export interface SshErrorFacts {
  readonly kind: SshErrorKind;
  readonly host: string;
  readonly port: number;
  /** The same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** Exit status of the command, where `kind` is `exit`. */
  readonly code?: number;
}

/** The one error of everything that speaks SSH. The message says what to do; it never holds key material. */
export class SshError extends Error {
  override readonly name = "SshError";

  constructor(
    message: string,
    readonly facts: SshErrorFacts,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** True for an SSH failure that may pass by itself. */
export function isRetryable(error: unknown): error is SshError {
  return error instanceof SshError && error.facts.retryable;
}

/** An {@link SshError} for this instance; `retryable` follows from the kind unless given. */
export function sshError(
  access: Pick<SshAccess, "host" | "port">,
  kind: SshErrorKind,
  message: string,
  extra: { cause?: unknown; code?: number; retryable?: boolean } = {},
): SshError {
  const retryable = extra.retryable ?? (kind === "connect" || kind === "timeout" || kind === "lost");
  return new SshError(
    message,
    {
      kind,
      host: access.host,
      port: access.port,
      retryable,
      ...(extra.code === undefined ? {} : { code: extra.code }),
    },
    extra.cause,
  );
}

/** The message for a host key that is not the pinned one. */
export function hostKeyMessage(access: SshAccess, shown: string): string {
  return (
    `The machine at ${access.host}:${access.port} showed ${shown}, not the host key that this stack gave to its instance. ` +
    "It is another machine, or someone between you and it answers: nothing was sent to it. " +
    "If the instance was replaced outside of Pulumi, run `pulumi refresh`; otherwise treat this network as hostile."
  );
}

const hints: Readonly<Record<string, string>> = {
  ECONNREFUSED: "no SSH server listens there (yet); an instance that has just become active needs a minute",
  EHOSTUNREACH: "there is no route to it; is the instance still running?",
  ENETUNREACH: "this machine has no network",
  ETIMEDOUT: "nothing answers; is the instance running, and does the firewall ruleset allow SSH from your address?",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ENOTFOUND: "the host name does not resolve",
};

/** Turns what ssh2 or the socket reports into an {@link SshError}. `ready`: the login had succeeded before. */
export function classify(
  access: SshAccess,
  error: Error & { level?: string; code?: string },
  ready: boolean,
): SshError {
  const where = `${access.user}@${access.host}:${access.port}`;
  if (error.level === "client-authentication") {
    const message = `${where} refused the stack's SSH key. During a boot this passes by itself. Later it means that somebody removed the key from ~/.ssh/authorized_keys on the instance.`;
    return sshError(access, "auth", message, { cause: error });
  }
  if (!ready && /no matching host key/.test(error.message)) {
    const type = access.hostKey.split(" ")[0];
    return sshError(access, "host-key", hostKeyMessage(access, `no ${type} host key`), { cause: error });
  }
  if (ready) {
    const silent = error.level === "client-timeout" ? "it stopped answering" : (hint(error) ?? error.message);
    return sshError(access, "lost", `The SSH connection to ${where} was lost: ${silent}.`, { cause: error });
  }
  if (error.level === "client-timeout") {
    return sshError(access, "timeout", `${where} didn't answer the SSH handshake in time.`, { cause: error });
  }
  return sshError(access, "connect", `No SSH connection to ${where}: ${hint(error) ?? error.message}.`, {
    cause: error,
  });
}

function hint(error: { code?: string }): string | undefined {
  return error.code === undefined ? undefined : hints[error.code];
}
