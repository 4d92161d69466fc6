import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { experimentJsonSchema, withReference } from "../../cli/reference";
import { projectFolder } from "../../local/paths";

const read = (path: string): string => readFileSync(join(projectFolder(), path), "utf8");

it("README and JSON schema say what the configuration takes (else: npm run reference)", () => {
  expect(withReference(read("README.md"))).toBe(read("README.md"));
  expect(experimentJsonSchema()).toBe(read("configs/experiment.schema.json"));
});
