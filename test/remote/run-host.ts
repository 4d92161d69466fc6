import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { readStatus, stopRun } from "../../remote/run";
import { withSession } from "../../remote/session";
import { renderStart } from "../../remote/start";
import type { RunStatus } from "../../remote/types";
import { testPlan } from "./plan";
import type { ScriptHost } from "./script-host";

interface RunDocument {
  readonly attempts: Record<string, Record<string, unknown>>;
}

type TestPlan = ReturnType<typeof testPlan>;

/** Runs on an instance of the tests, told by experiments that no other test on this machine has. */
export class RunHost {
  private number = 0;

  constructor(readonly host: ScriptHost) {}

  plan(command: string, changes: Parameters<typeof testPlan>[0] = {}): TestPlan {
    return testPlan({
      ...changes,
      run: { experiment: `host-${process.pid}-${++this.number}`, command, ...changes.run },
    });
  }

  async start(plan: TestPlan): Promise<{ code: number; said: string }> {
    const { code, stdout, stderr } = await this.host.send(renderStart(plan));
    return { code, said: stdout + stderr };
  }

  status({ run }: TestPlan): Promise<RunStatus> {
    // A session of its own: the home is emptied before each test, and a session knows what it has put there.
    return withSession(this.host.sshd.access, (session) => readStatus(session, run.experiment));
  }

  async until(plan: TestPlan, so: RunStatus["state"] | ((status: RunStatus) => boolean)): Promise<RunStatus> {
    const isSo = typeof so === "string" ? (status: RunStatus) => status.state === so : so;
    for (let tries = 0; tries < 150; tries++) {
      const now = await this.status(plan);
      if (isSo(now)) return now;
      await sleep(100);
    }
    return expect.fail(`it never came to ${String(so)}: ${JSON.stringify(await this.status(plan))}`);
  }

  stop({ run }: TestPlan, graceSeconds = 1): Promise<RunStatus> {
    return stopRun(this.host.sshd.access, run, { reason: "test", graceSeconds });
  }

  /** A file of the run. */
  file({ run }: TestPlan, name: string): Promise<string> {
    return readFile(this.host.home(".lambda-train/runs", run.experiment, name), "utf8");
  }

  /** A fact of the first attempt; fails where it is not known. */
  async fact(plan: TestPlan, name: string): Promise<unknown> {
    const { attempts } = JSON.parse(await this.file(plan, "state.json")) as RunDocument;
    return attempts["1"]?.[name] ?? expect.fail(`${name} is not known`);
  }

  /** Sets a fact of the first attempt. */
  async setFact(plan: TestPlan, name: string, value: unknown): Promise<void> {
    const document = JSON.parse(await this.file(plan, "state.json")) as RunDocument;
    Object.assign(document.attempts["1"] ?? {}, { [name]: value });
    await writeFile(this.host.home(".lambda-train/runs", plan.run.experiment, "state.json"), JSON.stringify(document));
  }

  log(plan: TestPlan): Promise<string> {
    return this.file(plan, "train.log");
  }

  /** Number of the process whose key is a fact. */
  async pid(plan: TestPlan, fact: string): Promise<number> {
    return Number(String(await this.fact(plan, fact)).split(" ")[0]);
  }

  /** Kills the process whose key is a fact: the `supervisor` or the `launcher`. */
  async kill(plan: TestPlan, fact: string): Promise<void> {
    process.kill(await this.pid(plan, fact), "SIGKILL");
  }
}
