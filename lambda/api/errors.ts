/**
 * What went wrong with a call:
 * `capacity` none free now · `quota` the account's limit · `billing` account inactive or billing address missing ·
 * `auth` no or bad key · `forbidden` the key may not do this · `rate-limit` too many calls · `invalid-argument` ·
 * `not-found` · `conflict` busy · `in-use` cannot be deleted yet · `duplicate` the name is taken · `edge` an answer
 * that is not the API's (its front, a proxy, a redirect) · `server` · `network` the call never arrived or its answer
 * was lost, and it is safe to repeat · `timeout` · `unclear` whether the call was executed is unknown.
 */
export type LambdaErrorKind = keyof typeof hintsByKind;

/** Facts about a failed call, for callers that decide by them. */
export interface LambdaErrorFacts {
  /** What was called, on what: `launch gpu_1x_a10 in us-west-1`. */
  readonly operation: string;
  readonly kind: LambdaErrorKind;
  /** The same call may succeed later without anyone changing anything, and repeating it does no harm. */
  readonly retryable: boolean;
  /** Whether the call may have been executed although it failed. */
  readonly mayHaveRun: boolean;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** The API's error code, where the answer was the API's. */
  readonly code?: string;
  readonly requestId?: string;
  /** What to do next. */
  readonly hint: string;
  /** Seconds after which the server wants to see the call again. */
  readonly retryAfterSeconds?: number;
}

/** The one error of everything that calls Lambda's API. Its message holds no key, no header and no request body. */
export class LambdaApiError extends Error {
  override readonly name = "LambdaApiError";

  constructor(
    what: string,
    readonly facts: LambdaErrorFacts,
    cause?: unknown,
  ) {
    const request = facts.requestId === undefined ? "" : ` [request ${facts.requestId}]`;
    super(
      `Lambda Cloud, ${facts.operation}: ${what}${request}. ${facts.hint}`,
      cause === undefined ? undefined : { cause },
    );
  }
}

/** True for a {@link LambdaApiError} of one of these kinds. */
export function isKind(error: unknown, ...kinds: readonly LambdaErrorKind[]): error is LambdaApiError {
  return error instanceof LambdaApiError && kinds.includes(error.facts.kind);
}

/** Kind of an API error by its code; codes as the API documents or was seen to send them. */
export function kindOfCode(code: string, message: string): LambdaErrorKind | undefined {
  const known = kindsByCode[code];
  // A taken SSH key name is reported as an invalid parameter.
  if (known === "invalid-argument" && /must be unique|already (?:exists|in use)/i.test(message)) return "duplicate";
  if (known !== undefined) return known;
  if (code.startsWith("provider/")) return "server";
  return /-in-use$/.test(code) ? "in-use" : undefined;
}

/** Kind of an API error by its status, where its code is unknown. */
export function kindOfStatus(status: number): LambdaErrorKind {
  if (status >= 500) return "server";
  return kindsByStatus[status] ?? "invalid-argument";
}

/** What to do about an error of this kind, where nothing more precise is known. */
export function hintFor(kind: LambdaErrorKind, code?: string): string {
  return (code === undefined ? undefined : hintsByCode[code]) ?? hintsByKind[kind];
}

const kindsByCode: Readonly<Record<string, LambdaErrorKind>> = {
  "global/invalid-api-key": "auth",
  "global/account-inactive": "billing",
  "global/invalid-address": "billing",
  "global/forbidden": "forbidden",
  "global/invalid-parameters": "invalid-argument",
  "global/object-does-not-exist": "not-found",
  "global/not-found": "not-found",
  "global/quota-exceeded": "quota",
  "global/duplicate": "duplicate",
  "global/conflict": "conflict",
  "global/internal-error": "server",
  "global/unknown": "server",
  "instance-operations/launch/insufficient-capacity": "capacity",
  "instance-operations/launch/file-system-in-wrong-region": "invalid-argument",
  "instance-operations/launch/file-systems-not-supported": "invalid-argument",
};

const kindsByStatus: Readonly<Record<number, LambdaErrorKind>> = {
  401: "auth",
  403: "forbidden",
  404: "not-found",
  408: "timeout",
  409: "conflict",
  429: "rate-limit",
};

const hintsByCode: Readonly<Record<string, string>> = {
  "global/account-inactive":
    "Verify the account's e-mail address and add a valid payment method at https://cloud.lambda.ai, then run again",
  "global/invalid-address": "Enter a valid billing address at https://cloud.lambda.ai, then run again",
  "instance-operations/launch/file-system-in-wrong-region":
    "A file system can only be attached in its own region: list that region alone, or use another file system",
};

const hintsByKind = {
  capacity: "Wait longer (capacityTimeoutMinutes), or list more instance types or regions",
  quota: "Terminate what you no longer need, or ask Lambda's support for a higher quota; waiting doesn't help",
  billing: "Check the billing page of https://cloud.lambda.ai; waiting doesn't help",
  auth: "Check LAMBDA_API_KEY or the secret lambda-train:apiKey; keys are made at https://cloud.lambda.ai under API keys",
  forbidden: "The API key may not do this: use a key of the workspace that owns the resource",
  "rate-limit": "Other programs use the same account's limit (1 call per second, 1 launch per 12 s): run again later",
  "invalid-argument": "Correct the value that the message names, then run again",
  "not-found": "It may be gone, or belong to another workspace than the API key",
  conflict: "The resource is busy: run again in a minute",
  "in-use": "An instance still uses it: terminate that instance first",
  duplicate: "Choose another name, or delete the resource that has it",
  edge: "The answer is not from Lambda's API: check the endpoint, proxies and VPNs between here and there",
  server: "Lambda has a problem: run again later",
  network: "Check this machine's network and the endpoint, then run again",
  timeout: "Lambda didn't answer in time: run again later",
  unclear: "It may have been executed: the stack looks for its name before it repeats the call",
};
