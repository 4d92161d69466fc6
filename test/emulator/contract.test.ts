import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cloud } from "../../emulator/cloud";
import { errorCodes, errorSchema, schemas, successSchema } from "../../emulator/openapi/document";
import { type Operation, operations } from "../../emulator/openapi/operations";
import type { Schema } from "../../emulator/openapi/schema";
import { bodyFor, type Draft } from "./arbitraries";
import { inline, mapValues } from "./schemas";
import { apiCloud, type Clock, call, newKeyPair } from "./support";

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);

/** The schema with every object closed: an answer with a field that the document lacks is an error of the document. */
function closed(schema: Schema): Schema {
  const deep = {
    ...schema,
    ...(schema.items && { items: closed(schema.items) }),
    ...(schema.properties && { properties: mapValues(schema.properties, closed) }),
    ...(schema.anyOf && { anyOf: schema.anyOf.map(closed) }),
    ...(typeof schema.additionalProperties === "object" && {
      additionalProperties: closed(schema.additionalProperties),
    }),
  };
  return schema.properties && schema.additionalProperties === undefined
    ? { ...deep, additionalProperties: false }
    : deep;
}

const compile = (schema: Schema): ValidateFunction => ajv.compile(closed(inline(schema, schemas)));
const validators = new Map(
  operations.map((operation) => [
    operation.id,
    {
      success: compile(successSchema(operation)),
      failure: mapValues(errorCodes(operation), (codes) => compile(errorSchema(codes))),
      body: operation.body && ajv.compile(inline(operation.body, schemas)),
    },
  ]),
);

/** Checks an answer against the document: a declared status with a body of its schema. */
function expectDeclared(operation: Operation, status: number, body: unknown): void {
  const known = validators.get(operation.id);
  const validate = status === 200 ? known?.success : known?.failure[String(status)];
  expect(validate, `${operation.id} declares no status ${status}: ${JSON.stringify(body)}`).toBeDefined();
  const isValid = validate?.(body);
  expect(isValid, `${operation.id} ${status}: ${ajv.errorsText(validate?.errors)} in ${JSON.stringify(body)}`).toBe(
    true,
  );
}

/** Ids that there are, by what they are ids of. */
async function existing(cloud: Cloud): Promise<Record<string, string[]>> {
  const { instances, sshKeys, fileSystems, rulesets } = cloud.store.state;
  const ids = (records: readonly { id: string }[]) => records.map((record) => record.id);
  return { instance: ids(instances), ssh: ids(sshKeys), file: ids(fileSystems), firewall: ids(rulesets) };
}

/** Replaces `@kind:n` by the nth id of the kind, or by one that does not exist. */
function resolve(value: unknown, ids: Record<string, string[]>): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, ids));
  if (typeof value === "object" && value !== null)
    return mapValues(value as Record<string, unknown>, (v) => resolve(v, ids));
  const [, kind, index] = typeof value === "string" ? (/^@(\w+):(\d+)$/.exec(value) ?? []) : [];
  if (!kind) return value;
  const known = ids[kind] ?? [];
  return known[Number(index) % (known.length + 1)] ?? "f".repeat(32);
}

const kindOf = (operation: Operation): string => operation.path.split(/[/-]/)[1]?.replace(/s$/, "") ?? "";

/** One call with a drafted body, its answer checked. */
async function strike(cloud: Cloud, { operation, id, body, query }: Draft): Promise<{ status: number; body: unknown }> {
  const ids = await existing(cloud);
  const kind = kindOf(operation).replace("filesystem", "file");
  const path = operation.path.replace("{id}", String(resolve(`@${kind}:${id}`, ids)));
  const real = resolve(body, ids);
  const search = new URLSearchParams(query).toString();
  const answer = await call(
    cloud,
    operation.method.toUpperCase(),
    path + (search && `?${search}`),
    operation.body ? real : undefined,
  );
  expectDeclared(operation, answer.status, answer.body);
  const { body: validate } = validators.get(operation.id) ?? {};
  if (validate && !validate(real)) {
    expect(answer.status, `${operation.id} took ${JSON.stringify(real)}: ${answer.text}`).toBe(400);
    expect(answer.body.error.code).toBe("global/invalid-parameters");
    expect(answer.body.error.message).toMatch(/^Error in request body/);
  }
  return answer;
}

describe("the API keeps to its document", () => {
  let cloud: Cloud;
  let clock: Clock;
  const reached = new Map<string, Set<number>>();

  beforeAll(async () => {
    ({ cloud, clock } = await apiCloud());
  });
  afterAll(() => cloud.stop());

  test("whatever is called in whatever order", { timeout: 60_000 }, async () => {
    const publicKey = newKeyPair().publicKey;
    const step = fc.record({ draft: bodyFor(publicKey), pause: fc.constantFrom(0, 0, 0, 20, 700) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
        for (const { draft, pause } of steps) {
          const { status } = await strike(cloud, draft);
          reached.set(draft.operation.id, (reached.get(draft.operation.id) ?? new Set()).add(status));
          clock.advance(pause);
        }
      }),
      { numRuns: 80, seed: 20261124 },
    );
    // The property would hold in a cloud that refuses everything: see that every operation was also done.
    const neverDone = operations.filter((operation) => !reached.get(operation.id)?.has(200)).map(({ id }) => id);
    expect(neverDone).toEqual([]);
    const refused = operations.filter(({ id, body }) => body && reached.get(id)?.has(400)).map(({ id }) => id);
    expect(refused).toEqual(operations.filter(({ body }) => body).map(({ id }) => id));
  });

  test("every operation refuses a call without a key, and one of an inactive account", async () => {
    for (const operation of operations) {
      const path = operation.path.replace("{id}", "f".repeat(32));
      const answer = await call(cloud, operation.method.toUpperCase(), path, operation.body && {}, {
        authorization: "",
      });
      expect(answer.status, operation.id).toBe(401);
      expectDeclared(operation, 401, answer.body);
    }
    const { settings } = cloud.store.state;
    settings.account.state = "inactive";
    for (const operation of operations) {
      const path = operation.path.replace("{id}", "f".repeat(32));
      const answer = await call(cloud, operation.method.toUpperCase(), path, operation.body && {});
      expect(answer.body.error.code, operation.id).toBe("global/account-inactive");
      expectDeclared(operation, 403, answer.body);
    }
    settings.account.state = "good";
  });

  test("the document is served as JSON and as YAML, without a key", async () => {
    const json = await call(cloud, "GET", "/openapi.json", undefined, { authorization: "" });
    expect(json.body.openapi).toBe("3.1.0");
    const paths = Object.keys(json.body.paths);
    expect(paths).toContain("/api/v1/file-systems");
    expect(paths).toContain("/api/v1/filesystems/{id}");
    const count = Object.values<object>(json.body.paths).flatMap((item) => Object.keys(item)).length;
    expect(count).toBe(27);
    const yaml = await call(cloud, "GET", "/openapi.yaml", undefined, { authorization: "" });
    expect(yaml.text).toContain("operationId: launchInstance");
    expect(new Ajv({ strict: false }).validateSchema({ $defs: json.body.components.schemas })).toBe(true);
  });
});
