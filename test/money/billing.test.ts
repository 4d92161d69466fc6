import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DynamicHandler } from "../../components/dynamic/handler";
import { bootHandler } from "../../components/resources/boot-handler";
import { handler as claim } from "../../components/resources/claim-handler";
import { connect } from "../../components/resources/cloud";
import { handler } from "../../components/resources/instance-handler";
import type { InstanceInputs, InstanceOutputs } from "../../components/resources/instance-inputs";
import { removeOrphan } from "../../lambda/account/reaping";
import { connectCloud } from "../../lambda/api/connect";
import { dollarsOf } from "../../lambda/billing/bill";
import { ledgerFile, readLedger } from "../../lambda/billing/ledger";
import { BillNotes } from "../../lambda/billing/notes";
import { type Emulated, startWithInputs } from "../components/resources/emulated";

const { create, read, delete: remove } = handler as Required<DynamicHandler<InstanceInputs, InstanceOutputs>>;
const stack = "test";
let lambda: Emulated;
let inputs: InstanceInputs;

beforeEach(async () => {
  ({ lambda, inputs } = await startWithInputs());
  vi.stubEnv("LAMBDA_TRAIN_LEDGERS", join(lambda.folder, "results"));
  inputs = { ...inputs, tags: { "managed-by": "lambda-train", stack, experiment: "tiny-v1" } };
});

afterEach(() => lambda.stop());

type Launched = Awaited<ReturnType<typeof create>>;

const bills = () => readLedger(stack).bills;
const bill = () => bills().at(-1);
const end = ({ id, outs }: Launched) => remove(id, outs, lambda.context);

/** Launches, waits until it is healthy, and sets the beginning of its billing back by so many minutes. */
async function launched(minutes = 0, name = inputs.name): Promise<Launched> {
  const made = await create({ ...inputs, name }, lambda.context);
  const { client } = connectCloud("emulated");
  const deadline = Date.now() + 10_000;
  while ((await client.getInstance(made.id)).firstHealthyAt === undefined) {
    if (Date.now() > deadline) throw new Error("It was never healthy.");
    await sleep(20);
  }
  const { instances, ledger } = lambda.cloud.store.state;
  const record = instances.find(({ id }) => id === made.id);
  const entry = ledger.find(({ instanceId }) => instanceId === made.id);
  if (record?.firstHealthyAt === undefined || entry === undefined) throw new Error("Nothing is billed.");
  record.firstHealthyAt -= minutes * 60_000;
  Object.assign(entry, { from: record.firstHealthyAt });
  return made;
}

/** What a boot notes, which the API does not tell once the instance is forgotten. */
async function booted({ id }: Launched): Promise<void> {
  const hostKey = "ssh-ed25519 AAAA";
  await bootHandler(connect, async () => undefined).create(
    { instanceId: id, hostKey, privateKey: "key", endpoint: "emulated" },
    lambda.context,
  );
}

/** Lets time pass between what was and now, by moving back all that is kept of it. */
function pass(minutes: number, { id, outs }: Launched): Launched {
  const ms = minutes * 60_000;
  const { state } = lambda.cloud.store;
  state.ledger = state.ledger.map(({ from, to, ...rest }) => ({
    ...rest,
    from: from - ms,
    ...(to === undefined ? {} : { to: to - ms }),
  }));
  state.audit = state.audit.map((event) => ({ ...event, at: event.at - ms }));
  const earlier = (time: string): string => new Date(Date.parse(time) - ms).toISOString();
  const notes = new BillNotes(id);
  const { asked, billedSince } = notes.read();
  notes.clear();
  if (billedSince !== undefined) notes.billedSince(earlier(billedSince));
  if (asked !== undefined) {
    const { sentAt, answeredAt, status } = asked;
    notes.asked({ sentAt: sentAt - ms, status, answeredAt: answeredAt === undefined ? undefined : answeredAt - ms });
  }
  return { id, outs: { ...outs, launchedAt: earlier(outs.launchedAt) } };
}

/** The cloud does not know any instance any more. */
function forget(): void {
  lambda.cloud.store.state.instances = [];
}

/** The ledger says what the cloud itself bills: minute by minute, and to the cent. */
async function expectSameAsCloud(): Promise<void> {
  const { entries, totalCents } = await lambda.admin.ledger();
  const minutesOf = (list: readonly { instanceId: string; minutes: number }[]) =>
    Object.fromEntries(list.filter(({ minutes }) => minutes > 0).map((each) => [each.instanceId, each.minutes]));
  expect(minutesOf(bills())).toEqual(minutesOf(entries));
  expect(Math.round(dollarsOf(...bills()) * 100)).toBe(Math.round(totalCents));
}

describe("the ledger is what the cloud bills", () => {
  test("for instances that lived a minute and hours, each at the price of its launch", async () => {
    const short = await launched();
    await end(short);
    await lambda.admin.setPrice("gpu_1x_a10", 777);
    await end(await launched(137.5));
    await expectSameAsCloud();
    expect(bills()).toMatchObject([
      { instanceId: short.id, minutes: 1, priceCentsPerHour: 129, estimate: null, endedBy: "us", emulated: true },
      {
        minutes: 138,
        priceCentsPerHour: 777,
        dollars: 17.871,
        runs: [{ experiment: "tiny-v1", outcome: "not seen to its end" }],
      },
    ]);
    expect(lambda.told.at(-1)).toMatch(/^bill: \$17\.87 before tax: gpu_1x_a10 in us-east-1, .* 2 h 18 min at \$7\.77/);
  });

  test("for one with several runs: those that were seen to, and those that were not", async () => {
    inputs = { ...inputs, tags: { ...inputs.tags, experiment: "lr-1 lr-2 lr-3" } };
    const made = await launched();
    new BillNotes(made.id).run({ experiment: "lr-2", outcome: "finished", metrics: {} });
    await end(made);
    expect(bill()?.runs).toEqual([
      { experiment: "lr-2", outcome: "finished", metrics: {} },
      { experiment: "lr-1", outcome: "not seen to its end", metrics: {} },
      { experiment: "lr-3", outcome: "not seen to its end", metrics: {} },
    ]);
  });

  test("for one that ended before it was healthy: nothing", async () => {
    await lambda.admin.patchSettings({ seconds: { bootOneGpu: 1e6 } });
    await end(await create(inputs, lambda.context));
    await expectSameAsCloud();
    expect(bill()).toMatchObject({ minutes: 0, dollars: 0, billedSince: null, estimate: null });
  });

  test.each(["terminated", "preempted"] as const)(
    "for one that was %s from outside, found by a refresh",
    async (kind) => {
      const made = await launched(10);
      await booted(made);
      await lambda.admin.addInstanceFault({ match: { instanceId: made.id }, trouble: { kind } });
      await lambda.admin.state();
      // The cloud has forgotten it, and more minutes have passed, when somebody looks.
      vi.setSystemTime(Date.now() + 5 * 60_000);
      try {
        lambda.cloud.store.state.instances = [];
        expect(await read(made.id, made.outs, lambda.context)).toBeUndefined();
      } finally {
        vi.useRealTimers();
      }
      await expectSameAsCloud();
      expect(bill()).toMatchObject({
        minutes: 11,
        estimate: null,
        endedBy: kind === "preempted" ? "preempted" : "outside",
      });
      await end(made);
      expect(bills()).toHaveLength(1);
    },
  );

  test("for one that no state knows, ended by its claim, and one that was reaped", async () => {
    await launched(3);
    await claim.delete?.("", { name: inputs.name, endpoint: "emulated" }, lambda.context);
    const lost = await launched(4);
    const thing = { kind: "instance", id: lost.id, name: inputs.name } as const;
    const orphan = { claim: inputs.name, things: [thing], verdict: "remove" } as const;
    await removeOrphan(connectCloud("emulated"), orphan, lambda.context);
    await expectSameAsCloud();
    expect(bills().map(({ minutes }) => minutes)).toEqual([4, 5]);
  });

  test("where the answer to the call that ended it was lost", async () => {
    const made = await launched(2);
    await lambda.fault("terminateInstance", { resetAfter: true });
    await end(made);
    await expectSameAsCloud();
  });

  test("where a destroy was killed between the termination and the ledger, whatever the time since", async () => {
    const made = await launched(59.5);
    const notes = new BillNotes(made.id);
    const { client } = connectCloud("emulated");
    notes.asked({ sentAt: Date.now(), status: "active" });
    const last = await client.terminate(made.id);
    notes.billedSince(last.firstHealthyAt ?? "");
    notes.asked({ sentAt: Date.now(), answeredAt: Date.now(), status: "active" });
    forget();
    const later = pass(60, made);
    notes.run({ experiment: "tiny-v1", outcome: "finished", metrics: { loss: 0.5 } });
    await end(later);
    // And once more between the ledger and the state.
    await end(later);
    await expectSameAsCloud();
    expect(bills()).toMatchObject([
      { minutes: 60, estimate: null, runs: [{ outcome: "finished", metrics: { loss: 0.5 } }] },
    ]);
  });

  test("from audit events where only the sending of the call was noted", async () => {
    const made = await launched(59.5);
    const { client } = connectCloud("emulated");
    const notes = new BillNotes(made.id);
    notes.billedSince((await client.getInstance(made.id)).firstHealthyAt ?? "");
    notes.asked({ sentAt: Date.now(), status: "active" });
    await client.terminate(made.id);
    forget();
    await end(pass(60, made));
    await expectSameAsCloud();
    expect(bill()).toMatchObject({ endedBy: "us", estimate: null });
  });
});

describe("what is not known", () => {
  test("is an upper bound, and says so", async () => {
    const made = await launched(5);
    await lambda.admin.terminate(made.id);
    forget();
    await lambda.fault("getAuditEvents", { answer: "blocked" });
    await end(made);
    expect(bill()).toMatchObject({ endedBy: "outside" });
    expect(bill()?.estimate).toMatch(/bill starts at its launch; it isn't known when it ended/);
    expect(lambda.told.at(-1)).toContain("at most $");
  });
});

describe("the ledger", () => {
  test("tells a broken line and goes on", async () => {
    await end(await launched());
    appendFileSync(ledgerFile(stack), '{"version":1,"stack":"te');
    await end(await launched());
    const { bills: all, problems } = readLedger(stack);
    expect(all).toHaveLength(2);
    expect(problems).toEqual([expect.stringContaining("line 2 is no bill")]);
    expect(readFileSync(ledgerFile(stack), "utf8").endsWith("}\n")).toBe(true);
  });

  test("that cannot be written keeps nothing from ending: the line is printed", async () => {
    vi.stubEnv("LAMBDA_TRAIN_LEDGERS", join(lambda.folder, "cloud", "cloud.json"));
    await end(await launched());
    expect(lambda.told.at(-2)).toMatch(
      /^Couldn't write the bill to the ledger .* Its line: \{"version":1,"stack":"test"/,
    );
    expect(await lambda.living()).toEqual([]);
  });

  test("is never one outside of its folder", () => {
    for (const name of ["..", ".", "", "a/b", "../x"]) expect(() => ledgerFile(name)).toThrow("no name of a stack");
  });
});
