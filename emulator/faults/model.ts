/** Faults that the admin surface injects. Each has an id and can be removed; all are kept on disk with the state. */

/** Which API calls a fault is for. All given conditions must hold; none given: every call. */
export interface ApiMatch {
  /** Operation id of the OpenAPI document, such as `launchInstance`. */
  readonly operation?: string;
  readonly method?: string;
  /** Path below `/api/v1`, exact (`/instances`) or ending in `*` (`/instances/*`). */
  readonly path?: string;
}

/** What happens to a matching call. `delayMs` comes first, before everything else: the server has taken the call by then. */
export interface ApiAction {
  /** Real milliseconds before the call is handled. */
  readonly delayMs?: number;
  /**
   * Answer instead of handling the call. `rate-limited`: 429 text as the edge sends it; `rate-limited-json`: 429 with
   * the envelope; `server-error`: 500 `global/unknown`; `bad-gateway`: 502 HTML; `blocked`: 403 `error code: 1010`.
   */
  readonly answer?:
    | "rate-limited"
    | "rate-limited-json"
    | "server-error"
    | "bad-gateway"
    | "blocked"
    | { readonly status: number; readonly contentType?: string; readonly body: string };
  /** Value of a `Retry-After` header on the answer above, in seconds (or a date). */
  readonly retryAfter?: string | number;
  /** Reset the connection before the call is handled: nothing happened. */
  readonly resetBefore?: boolean;
  /** Handle the call, then reset the connection: the answer is lost. */
  readonly resetAfter?: boolean;
  /** Add fields that no schema knows to every object of the answer. */
  readonly extraFields?: boolean;
  /** Show every instance of the answer in this status, such as one that no schema knows. */
  readonly showStatus?: string;
  /** Send `null` for optional fields of instances that would be absent (as API 1.5 did). */
  readonly nulls?: boolean;
}

export interface ApiFault {
  readonly id: string;
  readonly match: ApiMatch;
  /** Let this many matching calls pass first. Default 0. */
  readonly skip?: number;
  /** Fire at most this many times. Default: always. */
  readonly times?: number;
  /** Chance that a matching call is hit, from 0 to 1. Default 1. */
  readonly probability?: number;
  readonly action: ApiAction;
  /** Matching calls so far. */
  seen: number;
  /** How often it fired. */
  fired: number;
}

/** Which instances: one by id, those of a name, or (neither) the next that are launched. */
export interface InstanceMatch {
  readonly instanceId?: string;
  readonly name?: string;
}

/** What goes wrong with an instance itself. Times are in the cloud's seconds, so the time scale applies. */
export type InstanceTrouble =
  /** Becomes active, but never shows an address. */
  | { readonly kind: "no-ip" }
  /** Stays `booting`. */
  | { readonly kind: "stuck-booting" }
  /** Shows `unhealthy` where it would show `active`. */
  | { readonly kind: "unhealthy" }
  /** Is preempted `afterSeconds` after it became active. */
  | { readonly kind: "preempted"; readonly afterSeconds?: number }
  /** Is terminated by somebody else `afterSeconds` after it became active. */
  | { readonly kind: "terminated"; readonly afterSeconds?: number }
  /** sshd answers only `seconds` after the instance became active. */
  | { readonly kind: "ssh-late"; readonly seconds: number }
  /** sshd shows another host key than the one in user_data. From the next boot on. */
  | { readonly kind: "wrong-host-key" }
  /** Home has room for `bytes` only (and is empty again after a restart). From the next boot on. */
  | { readonly kind: "small-disk"; readonly bytes: number }
  /** `uname -m` says this, such as `aarch64`. From the next boot on. */
  | { readonly kind: "machine"; readonly machine: string };

export interface InstanceFault {
  readonly id: string;
  readonly match: InstanceMatch;
  /** Befall at most this many instances. Default: all that match. */
  readonly times?: number;
  readonly trouble: InstanceTrouble;
  /** Instances it has befallen. */
  boundTo: string[];
}

/** What goes wrong on the connections to an instance's sshd. */
export type LinkTrouble =
  /** New connections are refused. Open ones stay. */
  | { readonly kind: "refuse" }
  /** Each connection is reset after `bytes` in both directions together. */
  | { readonly kind: "drop-after"; readonly bytes: number }
  /** Each direction of each connection carries at most this much. */
  | { readonly kind: "throttle"; readonly bytesPerSecond: number }
  /** Nothing goes through, nothing closes: a half-open connection. */
  | { readonly kind: "stall" };

export interface LinkFault {
  readonly id: string;
  readonly match: InstanceMatch;
  readonly trouble: LinkTrouble;
  /** `drop-after` only: reset at most this many connections. Default: all. */
  readonly times?: number;
  /** Connections reset so far. */
  fired: number;
}
