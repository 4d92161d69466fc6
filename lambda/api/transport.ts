import { type Dispatcher, request } from "undici";
import { parseJson } from "../../local/json";
import {
  hintFor,
  kindOfCode,
  kindOfStatus,
  LambdaApiError,
  type LambdaErrorFacts,
  type LambdaErrorKind,
} from "./errors";
import { excerpt, redact } from "./redact";
import { errorEnvelope } from "./schemas";

/** One call of the API. */
export interface Call {
  /** What is called, on what, for messages: `launch gpu_1x_a10 in us-west-1`. */
  readonly operation: string;
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Path under the base URL, with a leading slash, without secrets. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The whole answer is wanted: some have more beside `data`. */
  readonly whole?: boolean;
}

/** How calls get to the API. */
export interface Transport {
  /** Base URL without trailing slash: `https://cloud.lambda.ai/api/v1`. */
  readonly baseUrl: string;
  /** Asked at each call, so that a rotated key is used at once. */
  readonly apiKey: () => string;
  readonly userAgent: string;
  readonly dispatcher?: Dispatcher;
  /** What to do where the endpoint cannot be reached. */
  readonly unreachableHint?: string;
  /** Milliseconds for the answer to begin, and between its parts. Default 60 000. */
  readonly timeoutMs?: number;
  /** Takes the date of each answer, and the dates here at which its call was sent and answered; all in milliseconds. */
  readonly onDate?: (date: number, sentAt: number, answeredAt: number) => void;
}

const longestAnswerBytes = 16 * 1024 * 1024;

/** Makes one exchange and returns `data` of the answer, or all of it. Every failure is a {@link LambdaApiError}; redirects are failures. */
export async function exchange(transport: Transport, call: Call): Promise<unknown> {
  const apiKey = transport.apiKey();
  const { status, headers, text } = await send(transport, call, apiKey);
  const json = parseJson(text);
  if (status >= 200 && status < 300) {
    if (text.trim() === "") return undefined;
    if (typeof json === "object" && json !== null && "data" in json) return call.whole === true ? json : json.data;
  }
  throw answerError(call, apiKey, status, headers, text, json);
}

/** An error that the caller found in an answer: the API did the call, and said something that cannot be used. */
export function unreadable(call: Call, what: string, cause?: unknown): LambdaApiError {
  const hint = "The API may have changed: update this project, or report it";
  return failure(call, what, { kind: "server", retryable: false, mayHaveRun: true, hint }, cause);
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

async function send(transport: Transport, call: Call, apiKey: string): Promise<RawAnswer> {
  const timeoutMs = transport.timeoutMs ?? 60_000;
  // Ends answers that drip for ever; the timeouts of headers and body end those that stop.
  const signal = AbortSignal.timeout(2 * timeoutMs);
  const sentAt = Date.now();
  try {
    const { statusCode, headers, body } = await request(`${transport.baseUrl}${call.path}`, {
      method: call.method,
      dispatcher: transport.dispatcher,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal,
      headers: {
        authorization: `Bearer ${apiKey}`,
        // Lambda's front refuses clients without a name of their own.
        "user-agent": transport.userAgent,
        accept: "application/json",
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    transport.onDate?.(Date.parse(String(headers.date)), sentAt, Date.now());
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > longestAnswerBytes) throw unreadable(call, `an answer of more than ${longestAnswerBytes} bytes`);
      chunks.push(chunk);
    }
    return { status: statusCode, headers, text: Buffer.concat(chunks).toString("utf8") };
  } catch (error) {
    if (error instanceof LambdaApiError) throw error;
    throw networkError(transport, call, error as Error & { code?: string });
  }
}

function networkError(transport: Transport, call: Call, error: Error & { code?: string }): LambdaApiError {
  const code = error.code ?? (error.cause as { code?: string } | undefined)?.code ?? "";
  const host = new URL(transport.baseUrl).host;
  if (error.name === "TimeoutError" || /TIMEOUT|ETIMEDOUT/.test(code)) {
    const mayHaveRun = code !== "UND_ERR_CONNECT_TIMEOUT" && code !== "ETIMEDOUT";
    const what = mayHaveRun ? `no answer from ${host} in time` : `no connection to ${host} in time`;
    return failure(call, what, { kind: "timeout", retryable: true, mayHaveRun }, error);
  }
  const untrusted = /CERT|TLS|SSL|ALTNAME|SIGNATURE/.test(code);
  const hint = untrusted
    ? "Its certificate is not trusted here: check for a proxy that reads along, and this machine's clock"
    : transport.unreachableHint;
  const what = `cannot reach ${host} (${code || excerpt(redact(error.message), 100)})`;
  const mayHaveRun = !untrusted && !neverSent.has(code);
  return failure(call, what, { kind: "network", retryable: !untrusted, mayHaveRun, hint }, error);
}

/** Errors of making a connection: nothing of the call has left this machine. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]);

function answerError(
  call: Call,
  apiKey: string,
  status: number,
  headers: RawAnswer["headers"],
  text: string,
  json: unknown,
): LambdaApiError {
  const clean = (value: string, length?: number): string => excerpt(redact(value, [apiKey]), length);
  const retryAfterSeconds = retryAfter(headers["retry-after"]);
  if (status >= 300 && status < 400) {
    const host = redirectHost(headers.location, call);
    const hint = `Redirects are not followed with an API key: set lambda-train:endpoint to https://${host}/api/v1 if that is Lambda's`;
    return failure(call, `redirected (${status}) to ${host}`, {
      kind: "edge",
      retryable: false,
      mayHaveRun: false,
      status,
      hint,
    });
  }
  const envelope = errorEnvelope.safeParse(json);
  if (envelope.success) {
    const { code, message = "", suggestion, request_id: requestId } = envelope.data.error;
    const kind = status === 429 ? "rate-limit" : (kindOfCode(code, message) ?? kindOfStatus(status));
    const said = clean([message, suggestion].filter(Boolean).join(" "), 400).replace(/\.$/, "");
    return failure(call, `${status} ${code}${said === "" ? "" : `: ${said}`}`, {
      ...repeatable(kind, status),
      kind,
      status,
      code: clean(code, 100),
      ...(requestId === undefined ? {} : { requestId: clean(requestId, 64) }),
      retryAfterSeconds,
    });
  }
  // Over the limit, Lambda's front answers for it: in plain text, Cloudflare's error 1015.
  if (status === 429 || /error code: 1015|banned you temporarily/i.test(text)) {
    return failure(call, `${status}, too many calls`, {
      kind: "rate-limit",
      retryable: true,
      mayHaveRun: false,
      status,
      retryAfterSeconds,
    });
  }
  const facts = { kind: "edge", retryable: status >= 500, mayHaveRun: status >= 500 || status < 300, status } as const;
  return failure(call, `an answer that is not the API's (${status}): ${clean(text) || "empty"}`, {
    ...facts,
    retryAfterSeconds,
  });
}

function repeatable(kind: LambdaErrorKind, status: number): Pick<LambdaErrorFacts, "retryable" | "mayHaveRun"> {
  const unsure = kind === "server" || kind === "timeout";
  return { retryable: unsure || kind === "rate-limit" || status >= 500, mayHaveRun: unsure || status >= 500 };
}

function failure(
  call: Call,
  what: string,
  facts: Omit<LambdaErrorFacts, "operation" | "hint"> & { readonly hint?: string },
  cause?: unknown,
): LambdaApiError {
  const hint = facts.hint ?? hintFor(facts.kind, facts.code);
  return new LambdaApiError(what, { ...facts, operation: call.operation, hint }, cause);
}

function redirectHost(location: string | string[] | undefined, call: Call): string {
  const target = Array.isArray(location) ? location[0] : location;
  try {
    return new URL(target ?? "", `https://unknown${call.path}`).host;
  } catch {
    return "unknown";
  }
}

/** Seconds of a Retry-After header: a number, or a date. */
export function retryAfter(header: string | string[] | undefined, now = Date.now()): number | undefined {
  const value = (Array.isArray(header) ? header[0] : header)?.trim();
  if (value === undefined || value === "") return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
