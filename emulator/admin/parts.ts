import type { CallLog } from "../api/call-log";
import type { CloudParts } from "../api/handlers/context";
import type { Settings } from "../settings";
import type { Store } from "../state/store";

/** What the admin surface works on. */
export interface AdminParts extends CloudParts {
  readonly store: Store;
  readonly calls: CallLog;
  /** Told of every change of the settings. */
  readonly onSettings: (settings: Settings) => void;
}

/** A mistake of the caller; its message says what is allowed. */
export class AdminError extends Error {
  readonly statusCode = 400;
}
