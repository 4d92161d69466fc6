import * as fc from "fast-check";
import { schemas } from "../../emulator/openapi/document";
import { type Operation, operations } from "../../emulator/openapi/operations";
import type { Schema } from "../../emulator/openapi/schema";
import { inline } from "./schemas";

/** A call to be made. Ids are written `@kind:n` and filled in when it is made. */
export interface Draft {
  readonly operation: Operation;
  readonly id: number;
  readonly body: unknown;
  readonly query: Record<string, string>;
}

const word = (kind: string) => fc.nat(6).map((n) => `@${kind}:${n}`);
const oneOf = (...values: string[]) => fc.constantFrom(...values);

/** Values that make sense, by property: a schema says what is allowed, not what exists. */
const sensible = (publicKey: string): Record<string, fc.Arbitrary<unknown>> => ({
  region_name: oneOf("us-east-1", "us-east-1", "us-east-1", "us-south-2", "nowhere-1"),
  region: oneOf("us-east-1", "us-east-1", "us-south-2", "nowhere-1"),
  instance_type_name: oneOf("cpu_4x_general", "cpu_4x_general", "gpu_1x_a10", "gpu_1x_b200_sxm6", "gpu_1x_none"),
  ssh_key_names: fc.array(oneOf("a", "b", "c"), { minLength: 1, maxLength: 1 }),
  file_system_names: fc.array(oneOf("fa", "fb"), { maxLength: 1 }),
  file_system_id: word("file"),
  mount_point: oneOf("/data/x", "/home/ubuntu/y", "/lambda/nfs/z"),
  instance_ids: fc.array(word("instance"), { minLength: 1, maxLength: 2 }),
  image: fc.oneof(fc.record({ family: oneOf("lambda-stack-22-04", "ubuntu-24-04", "no-such") })),
  firewall_rulesets: fc.array(fc.record({ id: word("firewall") }), { maxLength: 1 }),
  public_key: fc.constant(publicKey),
  source_network: oneOf("0.0.0.0/0", "10.0.0.7", "127.0.0.0/8", "300.1.1.1"),
  port_range: fc.tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 90, max: 65535 })),
  protocol: oneOf("tcp", "udp", "all", "icmp"),
  hostname: fc.stringMatching(/^[a-z0-9][0-9a-z-]{0,20}$/),
  key: fc.stringMatching(/^[a-z][a-z0-9-:]{1,20}$/),
});

const nameFor: Record<string, fc.Arbitrary<string>> = {
  addSSHKey: oneOf("a", "b", "c"),
  createFilesystem: oneOf("fa", "fb", "fc"),
};

/** Values of a schema. */
function valid(schema: Schema, hints: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map((part) => valid(part, hints)));
  switch (schema.type) {
    case "object": {
      const properties = Object.entries(schema.properties ?? {});
      const parts = Object.fromEntries(properties.map(([name, part]) => [name, hints[name] ?? valid(part, hints)]));
      return fc.record(parts, { requiredKeys: [...(schema.required ?? [])] });
    }
    case "array":
      return fc.array(valid(schema.items ?? {}, hints), {
        minLength: schema.minItems ?? 0,
        maxLength: schema.maxItems ?? 3,
      });
    case "integer":
      return fc.integer({ min: schema.minimum, max: schema.maximum });
    default:
      return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 20, 64) });
  }
}

/** The value with one thing changed: a field left out, or replaced by a value of any kind. */
const spoiled = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.tuple(value, fc.nat(), fc.option(fc.jsonValue({ maxDepth: 1 }), { nil: undefined })).map(([body, n, other]) => {
    if (typeof body !== "object" || body === null) return other ?? null;
    const names = Object.keys(body);
    const name = names[n % Math.max(1, names.length)];
    if (name === undefined) return other ?? null;
    const { [name]: _gone, ...rest } = body as Record<string, unknown>;
    return other === undefined ? rest : { ...rest, [name]: other };
  });

/** Calls of any operation, three in four with a body that its schema allows. Launches come often. */
export function bodyFor(publicKey: string): fc.Arbitrary<Draft> {
  const common = sensible(publicKey);
  const weight = (operation: Operation) => (operation.id === "launchInstance" ? 6 : 1);
  return fc.oneof(
    ...operations.map((operation) => {
      const hints = { ...common, ...(nameFor[operation.id] && { name: nameFor[operation.id] }) };
      const body = operation.body
        ? valid(inline(operation.body, schemas), hints as typeof common)
        : fc.constant(undefined);
      return {
        weight: weight(operation),
        arbitrary: fc.record({
          operation: fc.constant(operation),
          id: fc.nat(6),
          body: operation.body
            ? fc.oneof({ weight: 3, arbitrary: body }, { weight: 1, arbitrary: spoiled(body) })
            : body,
          query: fc.constant({}),
        }),
      };
    }),
  );
}
