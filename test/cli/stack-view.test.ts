import { expect, it } from "vitest";
import { viewOf } from "../../cli/stack/exported";
import { requireInstance } from "../../cli/stack/stack-view";
import { exported } from "../support/stack-state";

it("an instance can be spoken to whose first uploads have failed", () => {
  const view = viewOf("test", exported([{ name: "machine", runs: [], uploaded: false }]));
  expect(requireInstance(view, {})).toMatchObject({
    access: { host: "machine.example" },
    instance: { id: "i-machine" },
  });
});
