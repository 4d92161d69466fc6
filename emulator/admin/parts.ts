import type { CloudParts } from "../api/handlers/context";
import type { Store } from "../state/store";

/** What the admin surface works on. */
export interface AdminParts extends CloudParts {
  readonly store: Store;
}

/** A mistake of the caller; its message says what is allowed. */
export class AdminError extends Error {
  readonly statusCode = 400;
}
