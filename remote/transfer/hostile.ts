/** The instance sent something that was not asked for. Never retried. */
export class HostileStreamError extends Error {
  override readonly name = "HostileStreamError";
}
