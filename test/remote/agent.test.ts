import { describe, expect, it } from "vitest";
import { useScriptHost } from "./script-host";

const host = useScriptHost();

describe("the agent", () => {
  it("says how it is called, and refuses other calls", async () => {
    expect(await host.ask("dance")).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Usage: .* status, /m) });
  });

  it.each([
    ["a list", [], "it must be an object"],
    ["a member that is missing", { experiment: "x" }, "reason is missing"],
    ["a member of another kind", { experiment: "x", reason: "y", grace: "1" }, "grace must be a whole number"],
  ])("names what is wrong with %s", async (_, document, wrong) => {
    const { code, stderr } = await host.ask("stop", document);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `stop: ${wrong}. Its document has: experiment, reason, grace\n`,
    });
  });
});
