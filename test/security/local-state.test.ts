import { statSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { Machine } from "../engine/support/machine";

const machine = new Machine();
afterAll(() => machine.dispose());

it("the local backend is for this user alone: folder of the states and passphrase", async () => {
  const parts = `{ node: { bin: "/node/bin" }, backend: m.backendOf(undefined, "dev") }`;
  const made = (await machine.evaluate("environment", `m.engineEnvironment(${parts})`)) as NodeJS.ProcessEnv;
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  expect(made.PULUMI_BACKEND_URL).toBe(`file://${machine.path("local", "state")}`);
  expect(mode(machine.path("local", "state"))).toBe("700");
  expect(mode(made.PULUMI_CONFIG_PASSPHRASE_FILE ?? "")).toBe("600");
});
