import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunPlan } from "../../plan/types";
import { bringHome } from "../../remote/results";
import { doubtText, evaluateRun, goOn, keepApart } from "../../remote/run";
import { standsHash } from "../../remote/scripts";
import { withSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { testEvaluation, testPlan } from "./plan";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);
type Plan = ReturnType<RunHost["plan"]>;

/** Writes a checkpoint of its own, and says what was there before. */
const trains = (out: string, name: string, then = "true"): string =>
  `echo step 1; mkdir -p ${out}/checkpoints; ls ${out}/checkpoints > before-${name}; echo ${name} > ${out}/checkpoints/best_${name}.pt; ${then}`;

describe("an experiment that starts with other settings", () => {
  const first = (then = "true", changes: Partial<RunPlan> = {}): { plan: Plan; out: string } => {
    const plan = runs.plan("", {});
    const out = `outputs/${plan.run.experiment}`;
    return { plan: { ...plan, run: { ...plan.run, command: trains(out, "a", then), ...changes } }, out };
  };
  const next = (plan: Plan, command: string, more: Partial<Plan> = {}, hash = "r2"): Plan => ({
    ...plan,
    ...more,
    run: { ...plan.run, command, hash },
  });
  const ended = async (plan: Plan, state: RunStatus["state"]): Promise<RunStatus> => {
    await runs.start(plan);
    return runs.until(plan, state);
  };
  const work = (path: string): string => host.home("work", path);

  it("begins with empty outputs where it had finished, and what those held is kept apart; uploads stay", async () => {
    const { plan, out } = first();
    await mkdir(work(out), { recursive: true });
    await writeFile(work(`${out}/note.txt`), "mine");
    await ended(plan, "finished");
    const second = next(plan, trains(out, "b"));
    await runs.start(second);
    const { asides = [] } = await runs.until(second, (status) => status.attempt === 2 && status.state === "finished");
    expect(await readFile(work("before-b"), "utf8")).toBe("");
    expect(await runs.log(second)).toContain("had finished with other settings; its outputs are emptied");
    expect(asides.map(({ kept }) => kept.hash)).toEqual(["r1"]);
    const copy = `${asides[0]?.path}/${asides[0]?.kept.places[""]}/checkpoints/best_a.pt`;
    expect(await readFile(copy, "utf8")).toBe("a\n");
    expect(await readFile(work(`${out}/note.txt`), "utf8")).toBe("mine");
  });

  it("finds all of it where somebody has asked to go on from it", async () => {
    const { plan, out } = first();
    await ended(plan, "finished");
    await withSession(host.sshd.access, (session) => goOn(session, plan.run.experiment, "r2"));
    await runs.start(next(plan, trains(out, "b")));
    await runs.until(plan, (status) => status.attempt === 2 && status.state === "finished");
    expect(await readFile(work("before-b"), "utf8")).toBe("best_a.pt\n");
  });

  it("goes on from what one that failed has left, and is not evaluated on that", async () => {
    const { plan, out } = first("exit 3");
    await ended(plan, "failed");
    const evaluation = { ...testEvaluation, command: "echo used {checkpoint} >> evaluations" };
    const second = next(plan, `echo step 1; ls ${out}/checkpoints > before-b`, { evaluation });
    await runs.start(second);
    await runs.until(second, (status) => status.evaluation?.state === "failed");
    expect(await readFile(work("before-b"), "utf8")).toBe("best_a.pt\n");
    expect(await runs.file(plan, "evaluate.log")).toContain(
      "that these settings wrote; other settings left checkpoints/",
    );
    expect(existsSync(work("evaluations"))).toBe(false);
    // The third has the settings of the second, and what it writes counts.
    const third = next(plan, `${trains(out, "c")}; sleep 60`, { evaluation });
    await runs.stop(third);
    await runs.start({ ...third, run: { ...third.run, hash: "r3" } });
    await runs.until(third, (status) => status.attempt === 3 && status.state === "running");
    await runs.stop(third);
    await evaluateRun(host.sshd.access, third);
    expect(await readFile(work("evaluations"), "utf8")).toBe(`used ${out}/checkpoints/best_c.pt\n`);
  });

  it("resumes over other settings only from what had not finished, and the log says whose it was", async () => {
    const resume = { command: "echo from {checkpoint}; echo step 1", checkpoint: "checkpoints/best*" };
    const failed = first("exit 3", { resume });
    await ended(failed.plan, "failed");
    const second = next(failed.plan, "echo anew");
    await runs.start(second);
    await runs.until(second, (status) => status.attempt === 2 && status.state === "finished");
    expect(await runs.log(second)).toMatch(/resumes from \S+best_a\.pt, which other settings wrote: /);
    const finished = first("true", { resume });
    await ended(finished.plan, "finished");
    const third = next(finished.plan, "echo step 1; echo anew");
    await runs.start(third);
    await runs.until(third, (status) => status.attempt === 2 && status.state === "finished");
    expect(await runs.log(third)).toMatch(/^anew$/m);
  });

  it("has its results kept apart where the code, not the settings, is another", async () => {
    const { plan, out } = first("exit 3");
    await ended(plan, "failed");
    const workload = { ...plan.workload, hash: "w2" };
    await runs.start(next(plan, trains(out, "b"), { workload }, "r1"));
    const { stands, asides } = await runs.until(plan, (status) => status.attempt === 2 && status.state === "finished");
    expect(stands).toBe(standsHash({ ...testPlan(), workload }));
    expect(asides).toMatchObject([{ name: "1", kept: { hash: "r1", stands: standsHash(testPlan()) } }]);
    expect(await readFile(work("before-b"), "utf8")).toBe("best_a.pt\n");
  });

  it("begins with empty outputs where it was another configuration that was to go on", async () => {
    const { plan, out } = first();
    await ended(plan, "finished");
    await withSession(host.sshd.access, (session) => goOn(session, plan.run.experiment, "r2"));
    await runs.start(next(plan, trains(out, "c"), {}, "r3"));
    await runs.until(plan, (status) => status.attempt === 2 && status.state === "finished");
    expect(await readFile(work("before-c"), "utf8")).toBe("");
  });

  it("waits for an evaluation that somebody has begun", async () => {
    const { plan, out } = first();
    await ended(plan, "finished");
    const evaluation = { ...testEvaluation, command: "touch evaluating; sleep 3; echo {checkpoint} > evaluated" };
    const evaluated = evaluateRun(host.sshd.access, { ...plan, evaluation });
    await expect.poll(() => existsSync(work("evaluating")), { timeout: 10_000 }).toBe(true);
    expect((await runs.status(plan)).state).toBe("evaluating");
    const second = await runs.start(next(plan, trains(out, "b")));
    expect(second).toMatchObject({ code: 3, said: expect.stringContaining("still being evaluated") });
    await evaluated;
    expect(await readFile(work("evaluated"), "utf8")).toContain("best_a.pt");
    expect((await runs.start(next(plan, trains(out, "b")))).code).toBe(0);
    await runs.until(plan, (status) => status.attempt === 2 && status.state === "finished");
  });

  it("keeps the first copy, which was made before anything was put over what it holds", async () => {
    const { plan, out } = first("exit 3");
    await ended(plan, "failed");
    const apart = (stands: string): Promise<void> =>
      withSession(host.sshd.access, (session) => keepApart(session, plan.run.experiment, { hash: "r1", stands }));
    await apart("other");
    await writeFile(work(`${out}/checkpoints/best_a.pt`), "put over it");
    await apart("another");
    const { asides = [] } = await runs.status(plan);
    const copy = `${asides[0]?.path}/${asides[0]?.kept.places[""]}/checkpoints/best_a.pt`;
    expect(await readFile(copy, "utf8")).toBe("a\n");
  });

  it("whose outputs were emptied, and that never began, takes nothing from what is at home", async () => {
    const { plan, out } = first();
    await ended(plan, "finished");
    const directory = await mkdtemp(join(tmpdir(), "lambda-train-home-"));
    const place = { instanceId: "i1", access: host.sshd.access, run: plan.run, workspace: "work", directory };
    const home = await bringHome(place, {});
    expect(home).toMatchObject({ hasCheckpoint: false, workloadFiles: expect.any(Number) });
    // As a reboot leaves it, between the two.
    await runs.setFact(plan, "apart", true);
    await rm(work(out), { recursive: true });
    expect(await bringHome(place, {})).toMatchObject({ workloadFiles: home?.workloadFiles });
    const kept = join(directory, plan.run.experiment, "checkpoints/best_a.pt");
    expect(await readFile(kept, "utf8")).toBe("a\n");
    await rm(directory, { recursive: true });
  });

  it("has them kept apart before anything is put over them, where home cannot take them", async () => {
    const { plan } = first();
    await ended(plan, "finished");
    const apart = (stands: string): Promise<void> =>
      withSession(host.sshd.access, (session) => keepApart(session, plan.run.experiment, { hash: "r1", stands }));
    await apart(standsHash(plan));
    expect((await runs.status(plan)).asides).toBeUndefined();
    await apart("other");
    expect((await runs.status(plan)).asides).toHaveLength(1);
  });
});

describe("an end with status 0", () => {
  const endOf = async (command: string): Promise<RunStatus> => {
    const plan = runs.plan(command);
    await runs.start(plan);
    return runs.until(plan, "finished");
  };
  const crash = "raise KeyError(1)";

  it.each([
    ["a pipe in sh", `echo step 1; sh -c "python3 -c \\"${crash}\\" 2>&1 | cat"`],
    [
      "a pipe below make",
      `printf 'all:\\n\\t@echo step 1; python3 -c "${crash}" 2>&1 | cat\\n' > crash.mk; make -f crash.mk`,
    ],
  ])("is in doubt where %s hides a crash, and the log says so", async (_name, command) => {
    const status = await endOf(command);
    expect(status.doubt).toBe("its log ends with an error: KeyError: 1");
    expect(doubtText(status)).toMatch(/^WARNING: .*\.SHELLFLAGS/);
  });

  it("is in doubt where training logged no step and wrote nothing; not where it did either", async () => {
    expect((await endOf("echo hello")).doubt).toContain("no first step (train.firstStepPattern) and wrote no file");
    expect((await endOf("echo step 1")).doubt).toBeUndefined();
    expect((await endOf("mkdir -p outputs/x; echo 1 > outputs/x/y")).doubt).toBeUndefined();
    expect((await endOf("echo 1 > ../elsewhere.pt")).doubt).toBeUndefined();
  });

  it("is in no doubt where an error was logged earlier, and training went on", async () => {
    const log = "try:\n  1/0\nexcept ZeroDivisionError:\n  import traceback; traceback.print_exc()\n";
    const status = await endOf(`echo step 1; python3 -c '${log}print("step\\n" * 20)'`);
    expect(status.doubt).toBeUndefined();
  });
});
