import type { Inventory } from "../../catalog/inventory";
import type { Lifecycle } from "../../lifecycle/lifecycle";
import type { OperationId } from "../../openapi/operations";
import type { Machines } from "../../sandbox/machines";
import type { ApiKeyRecord, CloudState } from "../../state/model";

/** What the operations work on. */
export interface CloudParts {
  readonly state: CloudState;
  readonly inventory: Inventory;
  readonly lifecycle: Lifecycle;
  readonly machines: Machines;
  readonly now: () => number;
}

/** One call, its body and query already checked against the operation's schema. */
export interface Call<Body = unknown> extends CloudParts {
  readonly body: Body;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** The id in the path, checked; empty where the path has none. */
  readonly id: string;
  readonly caller: ApiKeyRecord;
  /** Notes what was done, for the audit events. */
  readonly audit: (resource: string, action: string, ids: readonly string[], details?: Record<string, unknown>) => void;
}

/** Returns the payload of `data`. @throws ApiError */
// biome-ignore lint/suspicious/noExplicitAny: each operation has a body of its own type, checked by its schema
export type Handler = (call: Call<any>) => unknown;

/** Some of the operations. */
export type Handlers<Id extends OperationId> = Record<Id, Handler>;

/** A payload with fields beside `data`. */
export class Envelope {
  constructor(readonly fields: { readonly data: unknown; readonly [name: string]: unknown }) {}
}
