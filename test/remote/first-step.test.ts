import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { courseAtHome } from "../../cli/curves/at-home";
import { Events } from "../../cli/page/events";
import { RunMonitor } from "../../cli/page/run-monitor";
import { lookAtRun } from "../../cli/status/look";
import { projectFolder } from "../../local/paths";
import { withSession } from "../../remote/session";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const logs = join(projectFolder(), "test/fixtures/logs");
/** As the release before this one had it for all that name none: its runs go on with it. */
const earlier = "(step|iter(ation)?|batch|epoch)[^0-9]{0,12}[0-9].*loss|loss[^0-9a-z]{0,4}[0-9]";

/** Runs that log what others have logged. */
describe("a run", { timeout: 90_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);

  const logging = (name: string, firstStepPattern?: string, more = "") => {
    cpSync(join(logs, `${name}.log`), host.home("work", "written.log"));
    const plan = runs.plan(`cat written.log${more}`, { run: { firstStepPattern } });
    return plan;
  };

  it.each(["tqdm", "lightning", "keras", "yolo", "hf-trainer", "pytorch-mnist", "bare", "nan"])(
    "that logs as %s does has its first step where training made it",
    async (name) => {
      const { firstStep } = JSON.parse(readFileSync(join(logs, `${name}.json`), "utf8"));
      const plan = logging(name);
      await runs.start(plan);
      expect(await runs.until(plan, "finished")).toMatchObject({ firstStepLine: firstStep });
    },
  );

  it("whose lines only look like steps has none", async () => {
    const plan = logging("decoys", undefined, "; mkdir -p outputs/x; touch outputs/x/y");
    await runs.start(plan);
    expect((await runs.until(plan, "finished")).firstStepAt).toBeUndefined();
  });

  it("that an earlier release has started goes on with that release's pattern", async () => {
    const plan = logging("tqdm", earlier);
    await runs.start(plan);
    const { firstStepLine } = await runs.until(plan, "finished");
    expect(firstStepLine).toContain("Namespace(batch_size=64, epochs=3");
    expect((await runs.start({ ...plan, run: { ...plan.run, firstStepPattern: undefined } })).said).toContain(
      "already finished: attempt 1",
    );
  });

  it.each([
    ["tqdm", "epoch,step,train_loss\n0,100,2.5\n1,1051,0.25\n"],
    ["keras", ""],
    ["cut", ""],
    ["nan", "step,loss\n5,1.5\n"],
    ["json-lines", "id,loss\n1,0.5\n2,0.25\n"],
  ])("that logs as %s does is as far for the page, for status and for experiments", async (name, metrics) => {
    const plan = logging(
      name,
      undefined,
      `; mkdir -p outputs/$NAME; printf '${metrics.replaceAll("\n", "\\n")}' > outputs/$NAME/metrics.csv; sleep 1`,
    );
    const { experiment } = plan.run;
    const command = plan.run.command.replaceAll("$NAME", experiment);
    await runs.start({ ...plan, run: { ...plan.run, command } });
    await runs.until(plan, "finished");

    const status = await withSession(host.sshd.access, (session) => lookAtRun(session, experiment));
    expect(status.progress).not.toBeNull();

    const events = new Events();
    const monitor = new RunMonitor(host.sshd.access, { experiment, trains: true }, events, () => {});
    const shown = (): unknown => (events.get("metrics") as { progress?: unknown } | null)?.progress;
    const told = JSON.parse(JSON.stringify(status.progress));
    await expect.poll(shown, { timeout: 40_000 }).toEqual(told);
    monitor.close();
    events.close();

    const home = host.home("at-home");
    mkdirSync(join(home, "run"), { recursive: true });
    cpSync(host.home("work/outputs", experiment), home, { recursive: true });
    cpSync(host.home(".lambda-train/runs", experiment, "train.log"), join(home, "run/train.log"));
    expect(courseAtHome(home).progress).toEqual(status.progress);
  });
});
