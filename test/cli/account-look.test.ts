import { afterEach, describe, expect, it, vi } from "vitest";
import { viewOf } from "../../cli/stack/exported";
import { lookAtAccount, sawGone } from "../../cli/stack/look";
import { exported } from "../support/stack-state";

const listInstances = vi.fn();
vi.mock("../../cli/stack/stack-cloud", () => ({
  connectStack: async () => ({
    client: { listInstances },
    clock: { date: () => Date.now() + 5000, now: () => Date.now() },
    endpoint: { url: "https://cloud.example", ownKey: true },
  }),
}));

const view = viewOf(
  "test",
  exported([
    { name: "a", runs: ["r"] },
    { name: "b", runs: [], launched: false },
    { name: "c", runs: [], launched: false },
  ]),
);
const nameOf = (machine: string): string =>
  view.machines.find((each) => each.machine === machine)?.claims?.names[0] ?? "";

/** What one look at the account tells of several machines. */
describe("a look at the account", () => {
  afterEach(() => vi.resetAllMocks());

  it("tells each machine's instance by its id, and what it does not know by the names of all", async () => {
    const launched = { id: "i-stray", name: nameOf("c"), region: "us-east-1", status: "booting", tags: {} };
    listInstances.mockResolvedValue([{ ...launched, id: "i-a", name: nameOf("a"), status: "terminating" }, launched]);
    const account = await lookAtAccount(view);
    expect(listInstances).toHaveBeenCalledTimes(1);
    expect(account).toMatchObject({ statuses: { a: "terminating", b: "none", c: "none" }, unknown: undefined });
    expect(account.strays).toMatchObject([{ id: "i-stray", name: nameOf("c") }]);
    expect(Math.round(account.aheadMs / 1000)).toBe(5);
    expect(view.machines.map((machine) => sawGone(account, machine))).toEqual([true, false, false]);
  });

  it("that fails knows nothing of any, and says so where something may be billed that no state knows", async () => {
    listInstances.mockRejectedValue(new Error("blocked"));
    const unknown = "unknown (blocked)";
    expect(await lookAtAccount(view)).toEqual({
      ...{
        statuses: { a: unknown, b: unknown, c: unknown },
        strays: [],
        maintenance: {},
        aheadMs: 0,
        unknown: "blocked",
      },
    });
    const known = viewOf("test", exported([{ name: "machine", runs: ["run"] }]));
    expect((await lookAtAccount(known)).unknown).toBeUndefined();
  });

  it("is not taken before anything can have been launched", async () => {
    expect(await lookAtAccount(viewOf("test", '{"deployment":{}}'))).toMatchObject({ statuses: {}, strays: [] });
    expect(listInstances).not.toHaveBeenCalled();
  });
});
