import { type Operation, operations } from "./operations";
import { requests } from "./requests";
import { responses } from "./responses";
import { nullable, object, type Schema, text } from "./schema";

/** Version of the API that the document describes. */
export const apiVersion = "1.10.0";
/** Every path starts with this. */
export const basePath = "/api/v1";

/** Named schemas of the document. */
export const schemas: Readonly<Record<string, Schema>> = { ...responses, ...requests };

const json = (schema: Schema) => ({ "application/json": { schema } });
const reasons: Record<string, string> = {
  400: "Bad request",
  401: "No valid API key",
  403: "Forbidden",
  404: "Not found",
  409: "Conflict",
  500: "Internal server error",
};

/** Error codes of an operation by status, those that every operation has included. */
export function errorCodes(operation: Operation): Record<string, readonly string[]> {
  return {
    ...operation.errors,
    401: ["global/invalid-api-key"],
    403: ["global/account-inactive", ...(operation.errors[403] ?? [])],
  };
}

/** Schema of the body of a successful answer. */
export function successSchema(operation: Operation): Schema {
  // Audit events are the only answer with a field beside `data`.
  if (operation.id === "getAuditEvents") return object({ data: operation.data, page_token: nullable(text()) });
  return object({ data: operation.data });
}

/** Schema of the body of an answer that tells one of these error codes. */
export const errorSchema = (codes: readonly string[]): Schema =>
  object({
    error: object({
      code: text({ enum: codes }),
      message: text(),
      "suggestion?": text(),
      "request_id?": text(),
    }),
  });

function describe(operation: Operation) {
  const parameters = [
    ...(operation.path.includes("{id}")
      ? [{ name: "id", in: "path", required: true, schema: { type: "string" } }]
      : []),
    ...Object.entries(operation.query ?? {}).map(([name, schema]) => ({ name, in: "query", required: false, schema })),
  ];
  const failures = Object.entries(errorCodes(operation)).map(([status, codes]) => [
    status,
    { description: reasons[status], content: json(errorSchema(codes)) },
  ]);
  return {
    operationId: operation.id,
    summary: operation.summary,
    tags: [operation.tag],
    ...(parameters.length > 0 && { parameters }),
    ...(operation.body && { requestBody: { required: true, content: json(operation.body) } }),
    responses: {
      200: { description: "OK", content: json(successSchema(operation)) },
      ...Object.fromEntries(failures),
    },
  };
}

/** The API document as served at `/api/v1/openapi.json` and `/api/v1/openapi.yaml`. */
export function document(serverUrl: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = basePath + operation.path;
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Lambda Cloud API, emulated",
      version: apiVersion,
      description:
        "An emulation of Lambda's public cloud API. Answers are `{data}` on success (always 200) and `{error}` on failure: branch on `error.code`. One request per second, one launch per 12 seconds, both divided by the time scale.",
    },
    servers: [{ url: serverUrl }],
    security: [{ bearer: [] }, { basic: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        basic: { type: "http", scheme: "basic", description: "The API key as user name, with an empty password." },
      },
    },
  };
}
