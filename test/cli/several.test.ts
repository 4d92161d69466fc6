import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { costOf } from "../../cli/costs/costs";
import { noticeOf } from "../../cli/notify/notice";
import { newsOfLimits, newsOfRuns } from "../../cli/notify/notify";
import { viewOf } from "../../cli/stack/exported";
import type { AccountLook } from "../../cli/stack/look";
import { ofEach } from "../../cli/stack/of-each";
import { exitCodeOf, type JobLook, type JobReport, printedReport, reportsOf } from "../../cli/stack/report";
import { endingOf, seenOf, toldOf } from "../../cli/stack/seen";
import {
  type Choice,
  jobsOf,
  requireInstance,
  requireRun,
  requireRuns,
  type StackView,
} from "../../cli/stack/stack-view";
import { type Details, noDetails } from "../../cli/status/look";
import { screenOf } from "../../cli/status/screen";
import { CommandError, exitCodes } from "../../cli/terminal/command";
import { costOfAll, spentAt } from "../../lambda/billing/forecast";
import { plainText } from "../../remote/log-text";
import type { RunStatus } from "../../remote/types";
import { exported, launchedAt, type MadeMachine } from "../support/stack-state";

const pair: readonly MadeMachine[] = [
  { name: "gpu10", runs: ["third"], priceCents: 300, budgetDollars: 5 },
  { name: "gpu2", runs: ["first", "second"], priceCents: 120, budgetDollars: 5, waits: true },
];
const two = viewOf("test", exported(pair));
const one = viewOf("test", exported([{ name: "machine", runs: ["run"], budgetDollars: 5 }]));
const earlier = viewOf("test", exported([{ name: "machine", runs: ["run"], budgetDollars: 5, planless: true }]));
/** One training on both machines. */
const trained: StackView = {
  ...two,
  runs: two.runs.slice(0, 2).map((each, rank) => ({
    ...each,
    machine: two.machines[rank]?.machine ?? "",
    run: { ...each.run, experiment: "exp", node: { rank, machines: ["a", "b"] } },
  })),
};
const empty = viewOf("test", JSON.stringify({ deployment: {} }));

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse(launchedAt) + 3_600_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function statusOf(experiment: string, changes: Partial<RunStatus> = {}): RunStatus {
  return { state: "running", experiment, logPath: "/log", now: 0, usedSeconds: 1800, ...changes };
}

const account = (statuses: Record<string, string>, strays: AccountLook["strays"] = []): AccountLook => ({
  statuses,
  strays,
  maintenance: {},
  aheadMs: 0,
});
const active = account({ machine: "active", gpu2: "active", gpu10: "active" });

/** Each run as it was seen, by its name; the others go on. */
function looksOf(
  view: StackView,
  seen: Record<string, Partial<RunStatus>> = {},
  details: Details = noDetails,
): JobLook[] {
  return jobsOf(view).map((job) =>
    job.run === undefined
      ? { job, run: { state: "none" }, details }
      : { job, run: statusOf(job.run.experiment, seen[job.name ?? ""]), details },
  );
}

const reports = (view: StackView, seen?: Record<string, Partial<RunStatus>>, details?: Details): JobReport[] =>
  reportsOf(view, active, looksOf(view, seen, details));

function seen(
  view: StackView,
  changes: Record<string, Partial<RunStatus>> = {},
  look = active,
): ReturnType<typeof seenOf> {
  return seenOf(
    view,
    look,
    looksOf(view, changes).map(({ run }) => ("logPath" in run ? run : undefined)),
  );
}

describe("a state", () => {
  it("of several machines has each with its runs, in the order of their names", () => {
    expect(two.machines.map(({ machine, instance, access }) => [machine, instance?.id, access?.host])).toEqual([
      ["gpu2", "i-gpu2", "gpu2.example"],
      ["gpu10", "i-gpu10", "gpu10.example"],
    ]);
    expect(jobsOf(two).map(({ label, run }) => [label, run?.experiment])).toEqual([
      ["machine gpu2, run first", "exp-first"],
      ["machine gpu2, run second", "exp-second"],
      ["machine gpu10, run third", "exp-third"],
    ]);
    expect(two.machines.map(({ waits }) => waits)).toEqual([["the code"], undefined]);
    expect(two.machines[1]?.progress.done).toHaveProperty("instance-vm");
  });

  it("of one has no labels, whichever release wrote it, and one of nothing has a machine to be", () => {
    for (const view of [one, earlier]) expect(jobsOf(view)).toMatchObject([{ machine: "machine", name: "run" }]);
    expect(jobsOf(one)[0]).not.toHaveProperty("label");
    const known = ({ machines, ...rest }: StackView): object => [
      rest,
      machines.map((each) => ({ ...each, progress: {} })),
    ];
    expect(known(earlier)).toEqual(known(one));
    expect(empty).toMatchObject({ machines: [{ machine: "machine", instance: undefined }], runs: [] });
  });

  it("whatever it holds, has every run once, with the machine that it trains on", () => {
    const names = fc.uniqueArray(fc.constantFrom("machine", "a", "b", "a-b", "gpu-instance", "x2"), { minLength: 1 });
    const made = names.chain((all) =>
      fc.tuple(
        ...all.map((name) =>
          fc.record({ name: fc.constant(name), runs: fc.nat(3), launched: fc.boolean(), waits: fc.boolean() }),
        ),
      ),
    );
    fc.assert(
      fc.property(made, (machines) => {
        const state = machines.map(({ runs, ...rest }, at) => ({
          ...rest,
          runs: Array.from({ length: runs }, (_, run) => (at + run === 0 ? "run" : `r${at}-${run}`)),
        }));
        const view = viewOf("test", exported(state));
        expect(new Set(view.machines.map(({ machine }) => machine))).toEqual(new Set(state.map(({ name }) => name)));
        const placed = Object.fromEntries(view.runs.map(({ name, machine }) => [name, machine]));
        const planned = state.flatMap(({ name, runs }) => runs.map((run) => [run, name]));
        expect(placed).toEqual(Object.fromEntries(planned));
        for (const job of jobsOf(view)) {
          expect(job.instance?.id).toBe(
            state.find(({ name }) => name === job.machine)?.launched ? `i-${job.machine}` : undefined,
          );
          expect(job.label === undefined).toBe(view.machines.length === 1 && view.runs.length < 2);
        }
      }),
    );
  });
});

describe("a command on one", () => {
  it("takes the only one, also by its name or its experiment's", () => {
    for (const choice of [{}, { run: "run" }, { run: "exp-run" }, { machine: "machine", run: "run" }]) {
      expect(requireRun(one, choice)).toMatchObject({ instance: { id: "i-machine" }, run: { experiment: "exp-run" } });
    }
    expect(() => requireRun(one, { run: "other" })).toThrow(
      "Stack test has no run other. It has: machine machine, run run.",
    );
  });

  it("of one training on several machines takes rank 0, and another rank by its number", () => {
    expect(requireRun(trained, {}).run.node?.rank).toBe(0);
    expect(requireRun(trained, { run: "exp", rank: 1 }).run.node?.rank).toBe(1);
    expect(() => requireRun(trained, { rank: 2 })).toThrow(/has no rank 2/);
    const [first] = reports(trained);
    expect(plainText(screenOf(first === undefined ? [] : [first], 120).join("\n"))).toContain("rank 0 of 2 machines");
  });

  it("of several names them, and takes what is chosen", () => {
    expect(() => requireInstance(two, {})).toThrow(
      "Stack test has several machines: gpu2, gpu10. Choose one with --machine NAME.",
    );
    expect(() => requireRun(two, { machine: "gpu2" })).toThrow(
      "Stack test has several runs: machine gpu2, run first; machine gpu2, run second. Choose one with --run NAME.",
    );
    expect(() => requireRun(trained, { run: "exp", machine: "gpu3" })).toThrow("It has: machine");
    expect(requireInstance(two, { machine: "gpu2" }).access.host).toBe("gpu2.example");
    expect(requireInstance(two, { run: "second" }).access.host).toBe("gpu2.example");
    expect(requireRun(two, { machine: "gpu10" })).toMatchObject({ name: "third", instance: { id: "i-gpu10" } });
    expect(requireRun(two, { run: "exp-second" })).toMatchObject({ name: "second", workspace: "work" });
    expect(() => requireRun(two, { machine: "gpu10", run: "first" })).toThrow("no machine gpu10 with run first");
    expect(() => requireRun(empty, {})).toThrow("Stack test has no instance in its state.");
  });

  it("of a big fleet names the first ones, and says how many there are", () => {
    const made = Array.from({ length: 20 }, (_, at) => ({ name: `gpu${at}`, runs: [`run${at}`] }));
    const many = viewOf("test", exported(made));
    expect(() => requireRun(many, {})).toThrow(
      /several runs: machine gpu0, run run0; .*; and 8 more \(`npm run status` lists them\)\. Choose one with --machine NAME or --run NAME\.$/,
    );
    expect(() => requireInstance(many, { machine: "gpu99" })).toThrow(/has no machine gpu99\. It has: .*and 8 more/);
  });

  it("is for all runs that are not chosen among, where it says so", () => {
    const names = (choice: Choice): unknown[] => requireRuns(two, choice).map(({ name }) => name);
    expect(names({})).toEqual(["first", "second", "third"]);
    expect(names({ machine: "gpu2" })).toEqual(["first", "second"]);
    expect(names({ run: "exp-second" })).toEqual(["second"]);
    expect(() => requireRuns(two, { run: "other" })).toThrow("Stack test has no run other. It has: machine gpu2, run");
    expect(() => requireRuns(empty, {})).toThrow("Stack test has no instance in its state.");
  });

  it("goes on with the others where one fails, and tells of all that did", async () => {
    const done: number[] = [];
    const failing = (...which: number[]): Promise<number[]> =>
      ofEach([1, 2, 3], async (each) => {
        await Promise.resolve();
        if (which.includes(each)) throw new CommandError(`${each} failed`, exitCodes.nothing);
        done.push(each);
        return each * 2;
      });
    await expect(failing()).resolves.toEqual([2, 4, 6]);
    await expect(failing(1)).rejects.toMatchObject({ message: "1 failed", exitCode: exitCodes.nothing });
    await expect(failing(1, 3)).rejects.toMatchObject({ message: "1 failed\n3 failed", exitCode: exitCodes.nothing });
    expect(done).toEqual([1, 2, 3, 2, 3, 2]);
  });
});

describe("status", () => {
  const text = (all: JobReport[]): string => screenOf(all, 120).map(plainText).join("\n");
  const details = { ...noDetails, log: ["step 3"] };

  it("tells the history of a run that has not simply gone its way", () => {
    const at = Date.parse("2026-01-31T12:00:00Z") / 1000;
    const gone = [
      { at, event: "started", attempt: 1 },
      { at: at + 60, event: "first step", attempt: 1 },
    ];
    expect(text(reports(one, { run: { events: gone } }))).not.toContain("history");
    const events = [
      ...gone,
      { at: at + 3600, event: "interrupted", attempt: 1 },
      { at: at + 3700, event: "started", attempt: 2 },
    ];
    expect(text(reports(one, { run: { events } }))).toContain(`
history     2026-01-31T12:00:00Z  started
            2026-01-31T12:01:00Z  first step
            2026-01-31T13:00:00Z  interrupted: the machine went down
            2026-01-31T13:01:40Z  start 2
results `);
  });

  it("says what starts a run again that was stopped: by somebody, or by a limit", () => {
    const next = (stopReason: string): string | undefined =>
      /^next +(.*);/m.exec(text(reports(one, { run: { state: "stopped", stopReason } })))?.[1];
    expect(next("user")).toBe("npm run up -- --stack test --refresh starts it again");
    expect(next("limit")).toBe("raise the limit, then npm run up -- --stack test starts it again");
  });

  it("of one machine and one run is one block", () => {
    expect(text(reports(one, {}, details))).toBe(`stack       test
instance    active  gpu_1x_a10 in us-east-1  machine.example
            i-machine
cost        $1.20 so far, $1.20 per hour until \`down\`
budget      ███░░░░░░░░░ $3.80 left of $5.00, 30 min left to the run
run         exp-run  running
results     not downloaded yet: \`npm run results\` does it now, \`down\` in any case

  step 3

next        npm run logs -- --stack test, npm run dashboard -- --stack test, npm run down -- --stack test`);
  });

  it("of several is a block for each machine, with its runs below it", () => {
    const all = reports(two, { second: { state: "failed", exitCode: 1 } }, details);
    expect(text(all)).toBe(`stack       test
cost        $4.20 so far, $4.20 per hour until \`down\`
budget      ██████████░░ $0.80 left of $5.00, 11 min left to the run

machine     gpu2
instance    active  gpu_1x_a10 in us-east-1  gpu2.example
            i-gpu2
cost        $1.20 so far, $1.20 per hour
run         exp-first  running
waits       the code: changed; the next \`up\` after the run applies it
results     not downloaded yet: \`npm run results\` does it now, \`down\` in any case

  step 3

run         exp-second  failed
waits       the code: changed; the next \`up\` after the run applies it
results     not downloaded yet: \`npm run results\` does it now, \`down\` in any case

  step 3

machine     gpu10
instance    active  gpu_1x_a10 in us-east-1  gpu10.example
            i-gpu10
cost        $3.00 so far, $3.00 per hour
run         exp-third  running
results     not downloaded yet: \`npm run results\` does it now, \`down\` in any case

  step 3

next        npm run logs -- --stack test --run second; fix it, then npm run up -- --stack test --refresh starts it again`);
    expect(exitCodeOf(all)).toBe(1);
  });

  it("of a fleet names each job with its machine, below the machines", () => {
    const made = Array.from({ length: 5 }, (_, at) => ({ name: `gpu${at}`, runs: [`run${at}`] }));
    const jobs = [{ experiment: "ablation", state: "stopped" as const, exitCode: 143, stopReason: "user" }];
    const view = viewOf("test", exported(made));
    const shown = text(reports(view, { run1: { jobs }, run3: { jobs } }));
    expect(shown).toContain(`
jobs        gpu1  ablation  stopped  exit status 143 (user)
            gpu3  ablation  stopped  exit status 143 (user)
`);
    expect(text(reports(view))).not.toContain("jobs");
  });

  it("--json has the single keys, or maps by name in their place", () => {
    const single = printedReport(reports(one, {}, details));
    expect(Object.keys(single)).toEqual(
      "stack instance experiment run strays unknown cost results machine progress metrics log".split(" "),
    );
    const report = printedReport(reports(two, {}, details)) as Record<string, Record<string, object>>;
    expect(Object.keys(report)).toEqual(["stack", "machines", "runs", "strays", "unknown", "cost"]);
    expect(report.cost).toMatchObject({ dollars: 4.2, dollarsPerHour: 4.2, budgetDollars: 5 });
    expect(report.machines).toMatchObject({
      gpu2: {
        instance: { id: "i-gpu2", status: "active" },
        waits: ["the code"],
        cost: { dollars: 1.2 },
        machine: null,
      },
      gpu10: { instance: { id: "i-gpu10" }, cost: { dollars: 3, dollarsPerHour: 3 } },
    });
    expect(report.runs).toMatchObject({
      first: { machine: "gpu2", experiment: "exp-first", run: { state: "running" }, results: null, log: ["step 3"] },
      second: { machine: "gpu2" },
      third: { machine: "gpu10" },
    });
  });

  it("ends with the code of what is most urgent", () => {
    const code = (states: Record<string, Partial<RunStatus>>, view = two): number => exitCodeOf(reports(view, states));
    expect([code({}), code({ third: { state: "failed" } }), code({}, one), code({}, empty)]).toEqual([0, 1, 0, 3]);
    const lost = looksOf(two, { first: { state: "failed" } }).map((look, at) =>
      at < 2 ? look : { ...look, run: { state: "unreachable" as const, reason: "no route" } },
    );
    expect(exitCodeOf(reportsOf(two, active, lost))).toBe(4);
  });
});

describe("money", () => {
  it("is told by machine and in sum, and of one as it was", () => {
    expect(costOf(two, active)).toEqual({
      stack: "test",
      ...{ dollars: 4.2, dollarsPerHour: 4.2 },
      machines: { gpu2: { dollars: 1.2, dollarsPerHour: 1.2 }, gpu10: { dollars: 3, dollarsPerHour: 3 } },
    });
    expect(costOf(one, active)).toEqual({ stack: "test", dollars: 1.2, dollarsPerHour: 1.2 });
    expect(costOf(two, account({ gpu2: "active", gpu10: "terminated" }))).toMatchObject({ dollars: 1.2 });
    expect(costOf(two, account({ gpu2: "gone", gpu10: "gone" }))).toBeNull();
  });

  it("reaches a budget when all have cost it together, to a minute for each", () => {
    const billed = fc.record({ priceCents: fc.integer({ min: 1, max: 5000 }), late: fc.nat(600) });
    fc.assert(
      fc.property(
        fc.array(billed, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 2000 }),
        (all, budget) => {
          const from = Date.parse(launchedAt);
          const each = all.map(({ priceCents, late }) => ({
            priceCents,
            launchedAt: new Date(from + late * 60_000).toISOString(),
          }));
          // Before the last one is launched they cost less together than the formula has it.
          const dollars = budget + costOfAll(each, from + 600 * 60_000).dollars;
          const end = spentAt(each, dollars) ?? Number.NaN;
          const aMinuteOfAll = costOfAll(each, from).dollarsPerHour / 60;
          expect(Math.abs(costOfAll(each, end).dollars - dollars)).toBeLessThanOrEqual(2 * aMinuteOfAll + 1e-6);
        },
      ),
    );
  });
});

describe("watch", () => {
  it("says of one what it said, in words and as JSON", () => {
    const { jobs, cost, outcome } = seen(one, { run: { usedSeconds: 3000 } });
    expect(outcome).toBe("within");
    expect(jobs.map((job) => toldOf(job, cost))).toEqual([
      {
        lines: [
          "test  exp-run  running  $1.20 so far  within limits",
          "  warning: 83 % used, 50 min of train.maxHours 60 min",
        ],
        json: {
          ...{
            stack: "test",
            experiment: "exp-run",
            run: "running",
            costDollars: 1.2,
            outcome: "within",
            reason: null,
          },
          ...{ notes: ["warning: 83 % used, 50 min of train.maxHours 60 min"], strays: [] },
        },
      },
    ]);
  });

  it("judges each run by its own time, and all by the budget of the stack", () => {
    const byTime = seen(two, { third: { usedSeconds: 3600 } });
    expect(byTime.outcome).toBe("limit");
    expect(byTime.jobs.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ["within", undefined],
      ["within", undefined],
      ["limit", "limit"],
    ]);
    expect(toldOf(byTime.jobs[2] as never, byTime.cost)).toMatchObject({
      lines: [
        "test (machine gpu10, run third)  exp-third  running  $4.20 so far  over: limit",
        expect.any(String),
        expect.any(String),
      ],
      json: { machine: "gpu10", experiment: "exp-third", reason: "limit" },
    });
    vi.setSystemTime(Date.parse(launchedAt) + 72 * 60_000);
    expect(seen(two).jobs.map(({ outcome, reason }) => [outcome, reason])).toEqual(Array(3).fill(["limit", "budget"]));
    // Neither of the two has cost it alone.
    expect(seen(one).outcome).toBe("within");
  });

  it("ends a machine when all its runs have ended or are over a limit, and the stack when all machines are", () => {
    const ending = (changes: Record<string, Partial<RunStatus>>, view = two, look = active): unknown => {
      const { due, args, isStray } = endingOf(seen(view, changes, look));
      return [due.map(({ job }) => job.name), args, isStray];
    };
    const [finished, over] = [{ state: "finished" as const }, { idleSeconds: 600 }];
    expect(ending({ first: finished })).toEqual([[], [], false]);
    const ofGpu2 = ["--target=**::gpu2-instance-launches", "--target-dependents"];
    expect(ending({ first: finished, second: over })).toEqual([["first", "second"], ofGpu2, false]);
    expect(ending({ first: finished, second: over, third: over })).toEqual([["first", "second", "third"], [], false]);
    expect(ending({ run: finished }, one)).toEqual([["run"], [], false]);
    const half = viewOf(
      "test",
      exported([{ name: "machine", runs: ["run"], launched: false }, pair[0] as MadeMachine]),
    );
    const [name = ""] = half.machines[1]?.claims?.names ?? [];
    const stray = { id: "i-stray", name, type: "gpu_1x_a10", region: "us-east-1", status: "active" };
    expect(ending({}, half, account({ gpu10: "active", machine: "none" }, [stray]))).toEqual([
      ["run"],
      ["--target=**::instance-launches", "--target-dependents"],
      true,
    ]);
  });

  it("takes a machine that is gone for ended, and one that was never launched for nothing", () => {
    const look = seen(two, {}, account({ gpu2: "active", gpu10: "gone" }));
    expect(look.jobs.map(({ outcome }) => outcome)).toEqual(["within", "within", "ended"]);
    expect(look.cost).toBe(1.2);
    const half = viewOf(
      "test",
      exported([
        { name: "a", runs: ["r"] },
        { name: "b", runs: [], launched: false },
      ]),
    );
    expect(seen(half, {}, account({ a: "active", b: "none" })).jobs.map(({ job }) => job.machine)).toEqual(["a"]);
    expect(() => seen(empty, {}, account({}))).toThrow("Stack test has no instance, so none is billed.");
  });
});

describe("a notice", () => {
  const now = Date.parse(launchedAt) + 3_600_000;

  it("of one machine and one run says what it said", () => {
    const notice = noticeOf({ stack: "test", jobs: jobsOf(one) }, "started", "training has started", now);
    expect(Object.keys(notice)).toEqual(
      "version event stack experiment instanceType region costDollars results time text".split(" "),
    );
    expect(notice.text).toBe("exp-run (stack test): training has started on gpu_1x_a10 in us-east-1, $1.20 so far.");
  });

  it("of one of several names machine and run, and what it costs", () => {
    const [job] = jobsOf(two).slice(2);
    const notice = noticeOf(
      { stack: "test", jobs: job === undefined ? [] : [job] },
      "finished",
      "training has finished",
      now,
    );
    expect(notice).toMatchObject({ machine: "gpu10", run: "third", experiment: "exp-third", costDollars: 3 });
    expect(notice.text).toBe(
      "exp-third (stack test, machine gpu10, run third): training has finished on gpu_1x_a10 in us-east-1, $3.00 so far.",
    );
  });

  it("of the budget is one for the stack, of a time limit one for each run", () => {
    const events = (changes: Record<string, Partial<RunStatus>>): unknown[] =>
      newsOfLimits(seen(two, changes).jobs).map(({ jobs, event, of }) => [event, of, jobs.map(({ name }) => name)]);
    const all = ["first", "second", "third"];
    expect(events({ first: { usedSeconds: 3600 }, third: { idleSeconds: 600 } })).toEqual([
      ["budget", undefined, all],
      ["limit", "limit", ["first"]],
      ["limit", "idle", ["third"]],
    ]);
    vi.setSystemTime(Date.parse(launchedAt) + 72 * 60_000);
    const news = newsOfLimits(seen(two).jobs);
    expect(news.map(({ event, of, jobs }) => [event, of, jobs.length])).toEqual([
      ["budget", undefined, 3],
      ["limit", "budget", 3],
    ]);
    const notice = noticeOf({ stack: "test", jobs: news[1]?.jobs ?? [] }, "limit", "its limit is reached", now);
    expect(notice).not.toHaveProperty("machine");
    expect(notice.text).toBe(
      "exp-first, exp-second, exp-third (stack test): its limit is reached on 2 × gpu_1x_a10 in us-east-1, $4.20 so far.",
    );
  });

  it("of a training on several machines is one, as its first rank that answers tells", () => {
    const jobs = jobsOf(trained);
    const firstStepAt = "2026-01-01T00:10:00Z";
    const newsWith = (...known: (Partial<RunStatus> | undefined)[]) =>
      newsOfRuns(
        jobs,
        // Whoever looks may have them in any order.
        jobs.map((job, at) => ({ job, status: known[at] && statusOf("exp", known[at]) })).reverse(),
      );
    const going = { firstStepAt, attempt: 2 };
    const news = newsWith(going, { ...going, attempt: 1 });
    expect(news.map(({ event, of, jobs: about }) => [event, of, about.length])).toEqual([["started", 2, 2]]);
    const notice = noticeOf({ stack: "test", jobs: news[0]?.jobs ?? [] }, "started", "training has started", now);
    expect(notice).not.toHaveProperty("machine");
    expect(notice.text).toBe("exp (stack test): training has started on 2 × gpu_1x_a10 in us-east-1, $4.20 so far.");
    const lost = { ...going, state: "stopped", stopReason: "node lost" } as const;
    expect(newsWith(lost, lost).map(({ event }) => event)).toEqual(["started", "finished"]);
    // Rank 0's machine is the one that is lost.
    expect(newsWith(undefined, lost).map(({ what }) => what)).toEqual(["training was stopped (node lost)"]);
    expect(newsWith(undefined, going)).toEqual([]);
    const both = newsOfRuns(
      jobsOf(two),
      jobsOf(two).map((job) => ({ job, status: statusOf("exp", going) })),
    );
    expect(both.map(({ jobs: about }) => about.map(({ name }) => name))).toEqual([["first"], ["second"], ["third"]]);
  });
});
