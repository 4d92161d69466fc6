import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createContext, runInContext } from "node:vm";
import { parse } from "yaml";

/** A step as a workflow file has it. */
export interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

/** A job as a workflow file has it. */
export interface Job {
  readonly if?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** A workflow file. */
export interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** What GitHub gives a run: the contexts of its expressions. */
export interface Contexts {
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  readonly github?: Readonly<Record<string, unknown>>;
}

type Outcome = "success" | "failure" | "skipped";

/** How a job ended. */
export interface JobResult {
  readonly result: "success" | "failure";
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly log: string;
  readonly summary: string;
}

/** Starts `bash` on a step's script in the checkout. */
export type Shell = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<{ code: number; output: string }>;

export function loadWorkflow(name: string): Workflow {
  return parse(readFileSync(resolve(__dirname, "../../.github/workflows", `${name}.yml`), "utf8")) as Workflow;
}

/** The value of an expression. GitHub's are JavaScript's as far as these workflows go; what is missing is empty. */
export function evaluate(expression: string, contexts: object): unknown {
  return runInContext(expression, createContext({ inputs: {}, secrets: {}, vars: {}, github: {}, ...contexts }));
}

/** A text with its expressions filled in. */
export function fill(text: unknown, contexts: object): string {
  return String(text).replace(/\$\{\{(.*?)\}\}/gs, (_, expression: string) => {
    const value = evaluate(expression, contexts);
    return value === undefined || value === null ? "" : String(value);
  });
}

function fillAll(map: Readonly<Record<string, unknown>> = {}, contexts: object = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, fill(value, contexts)]));
}

/**
 * Runs the `run` steps of a job as GitHub's runner does: in order, by `bash -e`, with the environment of job and step, and
 * by each step's condition. Steps that use an action count as done; `temp` is the runner's folder for what steps write.
 */
export async function runJob(job: Job, given: Contexts, temp: string, shell: Shell): Promise<JobResult> {
  const steps: Record<string, { outcome: Outcome; outputs: Record<string, string> }> = {};
  const outcomes: Record<string, Outcome> = {};
  const jobEnv = fillAll(job.env, given);
  let log = "";
  let summary = "";
  let failed = false;
  mkdirSync(temp, { recursive: true });
  for (const [index, step] of job.steps.entries()) {
    const files = { output: join(temp, `output-${index}`), summary: join(temp, `summary-${index}`) };
    for (const path of Object.values(files)) writeFileSync(path, "");
    const status = { always: () => true, success: () => !failed, failure: () => failed, cancelled: () => false };
    const contexts = { ...given, steps, ...status };
    const condition = step.if === undefined ? "success()" : step.if.replace(/^\s*\$\{\{|\}\}\s*$/g, "");
    let outcome: Outcome = "skipped";
    if (evaluate(condition, contexts)) {
      outcome = "success";
      if (step.run !== undefined) {
        const script = join(temp, `step-${index}.sh`);
        writeFileSync(script, fill(step.run, contexts));
        const { code, output } = await shell(["-e", script], {
          ...jobEnv,
          ...fillAll(step.env, contexts),
          CI: "true",
          GITHUB_ACTIONS: "true",
          GITHUB_OUTPUT: files.output,
          GITHUB_STEP_SUMMARY: files.summary,
          RUNNER_TEMP: temp,
        });
        log += `== ${step.name}: ${code}\n${output}`;
        if (code !== 0) outcome = "failure";
      }
    }
    failed ||= outcome === "failure";
    summary += readFileSync(files.summary, "utf8");
    outcomes[step.name ?? step.uses ?? ""] = outcome;
    if (step.id !== undefined) steps[step.id] = { outcome, outputs: readOutputs(files.output) };
  }
  const outputs = fillAll(job.outputs, { ...given, steps });
  return { result: failed ? "failure" : "success", outcomes, outputs, log, summary };
}

/** Reads `name=value` and `name<<mark … mark`, as steps write them into $GITHUB_OUTPUT. */
function readOutputs(path: string): Record<string, string> {
  const text = readFileSync(path, "utf8");
  const outputs: Record<string, string> = {};
  for (const [, name = "", mark, long, short] of text.matchAll(/^(\w+)(?:<<(\S+)\n([\s\S]*?)\n\2|=(.*))$/gm)) {
    outputs[name] = mark === undefined ? (short ?? "") : (long ?? "");
  }
  return outputs;
}
