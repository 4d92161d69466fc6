import { spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { cacheFolder, projectFolder } from "../../local/paths";
import type { Job, SweepDefinition, WorkerPlan } from "../../plan/types";
import { type AgentCall, agentName } from "../../remote/agent";
import { startCall, workCall } from "../../remote/start";
import { type KnownAtHome, type Study, studyCall, studySchema } from "../../remote/study";
import { testPlan } from "../remote/plan";
import { processesWith } from "./sshd";

type WorkerJob = Job & { readonly worker: WorkerPlan };

type JobChange = Partial<WorkerPlan> & {
  readonly run?: Partial<Job["run"]>;
  readonly evaluation?: Job["evaluation"];
};

/** Stands for the way of the fleet's link: runs the agent of another home, unless that is lost. */
const link = `

import sys
HOMES = json.load(open(os.path.join(os.path.dirname(__file__), "homes.json")))
def ask(machine, verb, document, timeout):
    place = HOMES[machine]
    if os.path.exists(os.path.join(place["home"], "lost")):
        raise Unreachable(f"{machine} does not answer")
    environment = {**os.environ, **place["environment"]}
    words = [sys.executable, "-IS", place["agent"], verb]
    told = subprocess.run(words, input=json.dumps(document).encode() + b"\\n", capture_output=True, env=environment, timeout=timeout)
    if told.returncode != 0:
        raise Refused(told.stderr.decode())
    answer = json.loads(told.stdout)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["ok"]
`;

/** Logs its metric three times, and counts its starts in the home folder. What it comes to is a third of its config's lr. */
export const training = `
import os, signal, sys, time
config = dict(line.split(": ") for line in open(sys.argv[1]).read().splitlines() if not line.startswith("#"))
name, rate, pause = sys.argv[2], float(config["lr"]), float(os.environ.get("PAUSE", "0.15"))
os.makedirs(f"outputs/{name}", exist_ok=True)
with open(os.path.expanduser("~/starts"), "a") as starts:
    starts.write(f"{name} {config['lr']} {os.environ.get('CUDA_VISIBLE_DEVICES', '-')}\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
path = f"outputs/{name}/epoch"
begun = int(open(path).read()) if os.path.exists(path) else 0
for epoch in range(begun + 1, 4):
    print(f"epoch {epoch} valid_loss={rate / epoch}", flush=True)
    time.sleep(pause)
    open(path, "w").write(str(epoch))
`;

/** A machine of the tests: a home folder of its own, in which the real agent runs. */
export class SweepMachine {
  readonly home: string;
  readonly agent: string;

  constructor(
    root: string,
    readonly name: string,
  ) {
    this.home = join(root, name);
    this.agent = join(this.home, ".lambda-train/agent", agentName());
    for (const folder of ["work", "tmux", "disk", "bin", ".lambda-train"])
      mkdirSync(join(this.home, folder), { recursive: true });
    cpSync(join(projectFolder(), "scripts/agent"), this.agent, { recursive: true });
    const optuna = join(cacheFolder(), "optuna-of-tests");
    mkdirSync(optuna, { recursive: true });
    symlinkSync(optuna, join(this.home, ".lambda-train/optuna"));
    writeFileSync(join(this.home, "work/train.py"), training);
    writeFileSync(join(this.home, "work/config.yaml"), "# rates\nlr: lambda-train-sweep/lr/value\n");
  }

  get environment(): Record<string, string> {
    const { home } = this;
    const disk = join(home, "disk");
    return {
      HOME: home,
      TMUX_TMPDIR: join(home, "tmux"),
      LAMBDA_TRAIN_DISK: disk,
      PATH: `${home}/bin:/usr/local/bin:/usr/bin:/bin`,
    };
  }

  /** Calls a verb of the agent; fails where it does. */
  async call({ verb, document }: AgentCall): Promise<string> {
    const others = Object.entries(process.env).filter(([name]) => !/^(TMUX|LAMBDA_TRAIN_)/.test(name));
    const child = spawn("python3", ["-IS", this.agent, verb], {
      env: { ...Object.fromEntries(others), ...this.environment },
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.stdin.end(`${JSON.stringify(document)}\n`);
    expect(await ended, `${verb}: ${err}${out}`).toBe(0);
    return out;
  }

  file(...path: string[]): string {
    const full = join(this.home, ...path);
    return existsSync(full) ? readFileSync(full, "utf8") : "";
  }

  /** What training noted at each start: name of the run, rate, GPUs. */
  get starts(): string[] {
    return this.file("starts").trim().split("\n").filter(Boolean);
  }

  log(experiment = "exp"): string {
    return this.file(".lambda-train/runs", experiment, "train.log");
  }

  fact<T>(experiment: string, name: string): T | undefined {
    const state = this.file(".lambda-train/runs", experiment, "state.json");
    if (state === "") return undefined;
    const { attempt, attempts } = JSON.parse(state) as { attempt: number; attempts: Record<string, Record<string, T>> };
    return attempts[attempt]?.[name];
  }

  /** The machine is gone, with all that ran there. */
  async lose(): Promise<void> {
    writeFileSync(join(this.home, "lost"), "");
    await this.end();
  }

  async end(): Promise<void> {
    for (let tries = 0; tries < 40; tries++) {
      const left = await processesWith(`HOME=${this.home}`);
      if (left.length === 0) return;
      for (const pid of left) kill(pid);
      await sleep(25);
    }
  }
}

/** Id of the instance that a machine is. */
export function instanceOf(machine: string): string {
  return `instance of ${machine}`;
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** The machines of a fleet, and the sweep that they train. */
export class SweepFleet {
  readonly root = mkdtempSync(join(tmpdir(), "sweep-"));
  readonly machines: readonly SweepMachine[];
  private wanted: SweepDefinition;
  study: string;

  constructor(names: readonly string[], definition: Partial<SweepDefinition>) {
    this.machines = names.map((name) => new SweepMachine(this.root, name));
    const homes = this.machines.map(({ name, home, agent, environment }) => [name, { home, agent, environment }]);
    for (const { agent } of this.machines) {
      appendFileSync(join(agent, "fleet/link.py"), link);
      writeFileSync(join(agent, "fleet/homes.json"), JSON.stringify(Object.fromEntries(homes)));
    }
    this.study = names[0] ?? "";
    const own = {
      metric: "valid_loss",
      direction: "minimize",
      prune: null,
      retries: 1,
      leaseSeconds: 120,
      seed: 1,
    } as const;
    this.wanted = { ...own, ...definition };
  }

  machine(name: string): SweepMachine {
    return this.machines.find((each) => each.name === name) ?? expect.fail(`no ${name}`);
  }

  /** What the plan has for the worker of a machine. */
  job(machine: string, { run, evaluation, ...worker }: JobChange = {}): WorkerJob {
    const job = testPlan({
      evaluation,
      run: { command: "python3 train.py {config} {experiment}", firstStepPattern: undefined, graceSeconds: 3, ...run },
    });
    const hash = JSON.stringify(this.wanted.points ?? this.wanted.trials);
    return {
      ...job,
      machine,
      worker: {
        ...{ places: {}, definition: this.wanted, template: "config.yaml", hash },
        ...{ study: this.study, logs: "", ...worker },
      },
    };
  }

  /** Makes the study, or changes it. `lost`: names of machines. Gives how many trials are open, or what is against it. */
  async place(change: Partial<SweepDefinition> = {}, known: KnownAtHome = { home: [], lost: [] }): Promise<unknown> {
    this.wanted = { ...this.wanted, ...change };
    const request = { op: "place", definition: this.wanted, ...known, lost: known.lost.map(instanceOf) } as const;
    const asked = await this.machine(this.study).call(studyCall("exp", request));
    const { ok, error } = JSON.parse(asked) as { ok?: { open: number }; error?: string };
    return error ?? ok?.open;
  }

  /** Starts the worker of a machine, or tells it what has changed. */
  async work(machine: string, worker: JobChange = {}): Promise<string> {
    const job = this.job(machine, worker);
    const { verb, document } = workCall(job, instanceOf(machine));
    const { worker: told } = document as { worker: object };
    const placed = { verb, document: { ...document, worker: { ...told, beatSeconds: 0.3 } } };
    await this.machine(machine).call(placed);
    return this.machine(machine).call(startCall(job));
  }

  /** One request to the study. */
  async ask(request: object): Promise<Record<string, unknown>> {
    const document = { experiment: "exp", request };
    return JSON.parse(await this.machine(this.study).call({ verb: "study-call", document })) as Record<string, unknown>;
  }

  async summary(): Promise<Study> {
    const asked = await this.machine(this.study).call(studyCall("exp", { op: "summary" }));
    const { ok, error } = JSON.parse(asked) as { ok?: unknown; error?: string };
    return error === undefined ? studySchema.parse(ok) : expect.fail(error);
  }

  /** Waits until the study is so. */
  async until(isSo: (summary: Study) => boolean, seconds = 120): Promise<Study> {
    for (let tries = 0; tries < seconds * 5; tries++) {
      const summary = await this.summary();
      if (isSo(summary)) return summary;
      await sleep(200);
    }
    const logs = this.machines.map((each) => each.log()).join("\n");
    return expect.fail(`it never came so: ${JSON.stringify(await this.summary(), null, 1)}\n${logs}`);
  }

  async stop(): Promise<void> {
    for (const machine of this.machines) await machine.end();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits until something holds. */
export async function eventually(isSo: () => boolean, what: () => string, seconds = 120): Promise<void> {
  for (let tries = 0; tries < seconds * 20; tries++) {
    if (isSo()) return;
    await sleep(50);
  }
  expect.fail(what());
}
