import { readFileSync } from "node:fs";
import { type Document, parseDocument } from "yaml";
import { z } from "zod";
import { bucketKeys } from "./bucket-keys";
import { environmentKeys } from "./environment-keys";
import { moduleName } from "./module-name";
import { PlanError, problemsOf } from "./problems";
import { secretsSchema } from "./secrets";
import { sweepSchema } from "./sweep";
import { readAs } from "./yaml/read";

const minutes = z.number({ error: "must be a number of minutes" }).positive("must be above 0 minutes");
const command = z.string({ error: "must be a shell command" }).min(1, "must be a shell command");
const variables = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a name of an environment variable"),
    z
      .union([z.string(), z.number(), z.boolean(), z.null()])
      .transform((value) => (value === null ? "" : String(value)))
      .refine((value) => !value.includes("\0"), "can't hold a NUL character"),
  )
  .superRefine((all, context) => {
    for (const [name, value] of Object.entries(all)) {
      const asked = /\$\{env:(\w*)\}/.exec(value);
      if (asked !== null) {
        const [, secret = ""] = asked;
        const message =
          `${asked[0]} would stay as it is written: variables are plain text. For a value of your own environment, remove ` +
          `${name} here and write environment.secrets: [${secret === "" ? name : secret}]`;
        context.addIssue({ code: "custom", path: [name], message });
        continue;
      }
      const lost = searchPath.test(name) ? unexpanded(name, value) : undefined;
      if (lost === undefined) continue;
      const message =
        `${lost} would stay as it is written: variables are the text as written, and only $${name} itself is replaced ` +
        "by the value that it has on the instance. Write the folder out, as /home/ubuntu/bin";
      context.addIssue({ code: "custom", path: [name], message });
    }
  })
  .default({});
/** Lists of folders, in which `$NAME` cannot be meant as it is written. */
const searchPath = /^(?:PATH|PYTHONPATH|MANPATH|CPATH|LIBRARY_PATH|LD_LIBRARY_PATH|PKG_CONFIG_PATH)$/;

/** The first thing of a value that a shell would replace and we don't. */
function unexpanded(name: string, value: string): string | undefined {
  const found = value.matchAll(/\$\{?(\w+)\}?|(?<=^|:)~[^/:]*(?=[/:]|$)/g);
  return [...found].find(([, other]) => other !== name)?.[0];
}

const insidePath = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, "must be a path inside the workload: relative, without ..");
const globPath = insidePath;
const cachePlace = z.enum(["none", "fileSystem"], { error: "must be none or fileSystem" }).default("none");
const writtenGlobs = z
  .array(
    z
      .string()
      .regex(
        /^(~?\/)?(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/,
        "must be a glob inside the workspace, or begin with ~/ or /; without ..",
      ),
  )
  .default([]);

/** Name of an experiment: it names a tmux session, a folder and a file, so it holds nothing that those treat specially. */
export const experimentName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
    "must have 1 to 63 letters, digits, dashes and underscores, the first a letter or digit",
  );

/** What an experiment file (`configs/*.yaml`) may hold. The published JSON schema and docs/reference/experiment-file.md are made from it. */
export const experimentSchema = z.strictObject({
  experiment: experimentName.describe(
    "Name of the experiment, of its folder under the outputs, and of its tmux session. A change starts a new run.",
  ),
  workload: z
    .strictObject({
      source: z
        .string({ error: "must be a folder or a git URL" })
        .min(1)
        .describe("Workload: a folder (relative to the project) or a git URL."),
      ref: z
        .string()
        .optional()
        .describe(
          "Branch, tag or commit of a git URL. Default: the default branch. Every `up` resolves branches and tags against " +
            "the remote, and fails if it can't reach it. A full commit hash needs no lookup.",
        ),
      subfolder: insidePath.optional().describe("Folder inside the source that is the workload."),
      name: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must hold letters, digits, dots, dashes and underscores alone")
        .optional()
        .describe("Name of the workspace folder on the instance. Default: the last part of the source."),
      files: z
        .record(insidePath, z.string({ error: "must be a path on this machine" }).min(1))
        .optional()
        .describe(
          "Files and folders that the repository lacks: path in the workspace → path on your machine (relative to the project, " +
            "or from `~/`). They are uploaded with the code, whatever `.gitignore` says. Their content isn't in the state.",
        ),
      smoke: command
        .optional()
        .describe(
          "Command that runs on your machine, in the workload, before a launch. It runs again only if the code has changed.",
        ),
    })
    .describe("The repository that is trained."),
  dataset: z
    .strictObject({
      source: z
        .string({
          error:
            "must be a folder, an archive, an https URL, a bucket, hf://datasets/… or lambda-fs://<file system>/<path>",
        })
        .min(1)
        .describe(
          "Dataset: a folder or archive (relative to the project), an https URL, an archive or all below a prefix in a bucket " +
            "(`s3://bucket/prefix`, `r2://…`, `gs://…`), `hf://datasets/owner/name@revision/path`, or `lambda-fs://<file system>/<path>`.",
        ),
      prepare: command
        .optional()
        .describe(
          "Command that runs on your machine, in the workload, if the source folder doesn't exist. It runs again until it succeeds.",
        ),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits")
        .optional()
        .describe("SHA-256 checksum of the archive behind a URL or in a bucket."),
      token: z
        .string({ error: "must be a name of environment.secrets" })
        .min(1, "must be a name of environment.secrets")
        .optional()
        .describe(
          "Name of the secret in `environment.secrets` that the instance sends to the URL's host as " +
            "`Authorization: Bearer …`. A redirect to another host gets none.",
        ),
      target: insidePath.default("data").describe("Folder in the workspace for the dataset."),
      splits: z
        .array(insidePath)
        .default(["train", "valid", "test"])
        .describe("Folders that must exist in the target and hold files."),
      cache: cachePlace.describe(
        "Where the dataset is kept between machines. `fileSystem`: on the stack's `fileSystem`, filled once, checked by a " +
          "manifest, and read by all machines; the target is a link to it, and the files are read-only. `none`: each machine " +
          "gets its own copy.",
      ),
    })
    .optional()
    .describe("Without it, the workload brings its own data."),
  environment: z
    .strictObject({
      setup: command
        .nullable()
        .default("./scripts/lambda_setup.sh")
        .describe(
          "Setup command, run in the workspace; null for none. It runs again only if its inputs changed or it didn't finish.",
        ),
      manager: z
        .enum(["auto", "conda", "uv", "venv", "none"], { error: "must be auto, conda, uv, venv or none" })
        .default("auto")
        .describe(
          "Environment manager. `auto` uses the environment that the setup command makes. If it makes none: conda for " +
            "`environment*.yml`, else uv for `uv.lock`, else a venv for requirements, else the system's Python.",
        ),
      file: insidePath.optional().describe("Environment, lock or requirements file. Default: found by name."),
      ...environmentKeys,
      activate: command
        .optional()
        .describe(
          "Command that activates the environment which setup made, as `conda activate hmer-ink`. Training, evaluation, the " +
            "gate, `exec`, `ssh`, notebook and dashboard use it. Default: what setup left is found.",
        ),
      waitForDataset: z
        .boolean({ error: "must be true or false" })
        .default(false)
        .describe("Whether setup waits until the dataset is in place, and runs again if it changes."),
      answer: z
        .string()
        .default("")
        .describe("Answer to every question of the setup command. If empty, its standard input is closed."),
      timeoutMinutes: minutes.default(30).describe("Minutes until setup counts as failed."),
      variables: variables.describe(
        "Environment variables of setup, training and evaluation, as written. Only a variable's own name is replaced, by " +
          "its value on the instance: `PATH: /opt/tool/bin:$PATH`.",
      ),
      secrets: secretsSchema.describe(
        "Environment variables with values that no file of yours holds in clear: names, as `[HF_TOKEN, WANDB_API_KEY]`. " +
          "The value comes from the environment of `up`, else from the stack's configuration (`config set --secret --path " +
          "'lambda-train:secrets.HF_TOKEN'`), else from a file: `{HF_TOKEN: ~/path}`. Setup, gate, training, evaluation, " +
          "`exec` and notebook have them.",
      ),
      inputs: z.array(insidePath).default([]).describe("More files whose change runs setup again."),
      cache: cachePlace.describe(
        "Where the environment is kept between machines. `fileSystem`: on the stack's `fileSystem`, by the content of its file, " +
          "image, Python and processor. Only for an environment that the stack makes itself of a requirements file, `uv.lock` or an " +
          "`environment.yml`: `setup` must be null.",
      ),
      makes: z
        .array(insidePath)
        .default([])
        .describe(
          "Files that setup makes or rewrites. A `train.config` among them is read after setup, and overrides are laid over " +
            "it on the instance. One that the setup script names needs no entry, unless the repository holds it as well.",
        ),
    })
    .prefault({}),
  gate: z
    .strictObject({
      gpu: z
        .enum(["required", "optional"], { error: "must be required or optional" })
        .default("required")
        .describe("Whether CUDA must be usable."),
      architecture: z
        .enum(["x86_64", "aarch64"], { error: "must be x86_64 or aarch64" })
        .optional()
        .describe("Processor architecture that the workload needs."),
      minDiskGiB: z
        .number({ error: "must be a number of GiB" })
        .min(0)
        .default(5)
        .describe("Free disk space that the workload needs, in GiB."),
      modules: z.array(moduleName).default(["torch"]).describe("Python modules that must import."),
      command: command.optional().describe("An additional check, run in the workspace."),
      timeoutMinutes: minutes.default(5).describe("Minutes that each check of the gate may take."),
    })
    .prefault({})
    .describe("What must hold before training starts."),
  train: z
    .strictObject({
      command: command
        .default("make train CONFIG={config} EXPERIMENT={experiment}")
        .describe(
          "Training command. {config} and {experiment} are filled in. After a `$` they are shell variables and stay.",
        ),
      resume: command
        .regex(
          /^auto$|\{checkpoint\}/,
          "must be auto, or a command that holds {checkpoint}, which becomes the path of the newest checkpoint",
        )
        .optional()
        .describe(
          "How a later attempt goes on, also on another instance: the newest whole checkpoint is found on the instance, on " +
            "the file system (checkpoints.sync) or among the results at home. `auto`: train.command runs again, and resumes " +
            "by itself from its outputs. A command: it runs instead, if there is a checkpoint. {checkpoint} is its path " +
            "relative to train.directory; {config} and {experiment} are filled in. Default: train.command runs again on the " +
            "same instance, and begins anew on another.",
        ),
      checkpoint: globPath
        .optional()
        .describe(
          "Checkpoint from which train.resume resumes: a glob inside the experiment's outputs. The newest whole match counts. " +
            "Default: `checkpoint-*`, `checkpoints/*`, and files in `*.pt`, `*.pth`, `*.ckpt`, `*.safetensors`.",
        ),
      config: insidePath
        .nullable()
        .default("configs/lambda.yaml")
        .describe("The workload's config file; null for none."),
      overrides: z
        .record(z.string(), z.unknown())
        .default({})
        .describe(
          "Values that override those of the config file, a YAML or JSON map. The result is uploaded as a separate file. " +
            "Maps merge, everything else is replaced, and the rest of the file stays the same to the byte.",
        ),
      nodes: z
        .number({ error: "must be a number of machines" })
        .int("must be a whole number of machines")
        .min(1, "must be 1 to 100 machines")
        .max(100, "must be 1 to 100 machines")
        .default(1)
        .describe(
          "Machines of one training: as many instances in one region, all or none. Each runs train.command, and gets NODE_RANK, " +
            "NNODES, MASTER_ADDR and MASTER_PORT. A change starts a new run.",
        ),
      processes: z
        .union([z.literal("auto"), z.int().min(1).max(64)], {
          error: "must be auto or a number of processes from 1 to 64",
        })
        .optional()
        .describe(
          "Processes on each machine, which torchrun starts: a number, or `auto` for one a GPU. Default: train.command starts " +
            "its own, and gets NPROC_PER_NODE. A change starts a new run.",
        ),
      cluster: z
        .literal("ray", { error: "must be ray" })
        .optional()
        .describe(
          "`ray`: a Ray cluster of the environment's own Ray over the machines (`nodes`). train.command is its driver, on rank 0 " +
            "alone, and gets RAY_ADDRESS. Not with `processes`. A change starts a new run.",
        ),
      directory: insidePath.default(".").describe("Folder in the workspace in which commands run."),
      variables: variables.describe(
        "Environment variables of training and evaluation. They override `environment.variables`, and are written alike.",
      ),
      firstStepPattern: z
        .string()
        .optional()
        .describe(
          "Extended regular expression that matches the first training step in the log. Case-insensitive. Default: a line " +
            "with a loss that training has measured, as the common libraries and scripts log it.",
        ),
      firstStepTimeoutMinutes: minutes.default(15).describe("Minutes to wait for the first step."),
      waitFor: z
        .enum(["first-step", "end"], { error: "must be first-step or end" })
        .default("first-step")
        .describe("What `pulumi up` waits for."),
      whenDone: z
        .enum(["keep", "down"], { error: "must be keep or down" })
        .default("keep")
        .describe(
          "What becomes of the instances when all runs of the stack have ended. `keep`: they bill until `down`. `down`: " +
            "`npm run watch` does what `down` does, at its first look after that. See docs/money.md.",
        ),
      onChange: z
        .enum(["wait", "restart"], { error: "must be wait or restart" })
        .default("wait")
        .describe(
          "What `up` does to a running run if code, data, environment or configuration have changed. `wait`: nothing, the " +
            "change waits for its end. `restart`: stop it at a checkpoint, evaluate, download the results, start it again.",
        ),
      graceSeconds: z
        .number({ error: "must be a number of seconds" })
        .min(1, "must be 1 second or more")
        .default(60)
        .describe("Seconds between SIGTERM and SIGKILL at a clean stop."),
      maxHours: z
        .number({ error: "must be a number of hours" })
        .positive("must be above 0 hours")
        .optional()
        .describe("Hours of training after which the instance stops the run cleanly."),
      idleMinutes: minutes
        .optional()
        .describe(
          "Minutes without a new log line and without work on a GPU after which the instance stops the run cleanly.",
        ),
    })
    .prefault({}),
  sweep: sweepSchema,
  checkpoints: z
    .strictObject({
      sync: z
        .enum(["none", "home", "fileSystem", "bucket"], { error: "must be none, home, fileSystem or bucket" })
        .default("none")
        .describe(
          "Where checkpoints go while training goes on. `home`: `npm run watch -- --every` downloads the results when there " +
            "is a new one. `fileSystem`: the instance copies each to the stack's file system, also while nobody is connected. " +
            "`bucket`: the same to results.bucket.",
        ),
      everyMinutes: minutes.default(10).describe("Minutes between two copies or downloads, at least."),
      keep: z
        .number({ error: "must be a number of copies" })
        .int("must be a whole number")
        .min(1, "must be 1 or more")
        .default(2)
        .describe("Copies that stay on the file system or in the bucket: the newest ones."),
    })
    .prefault({}),
  evaluate: z
    .strictObject({
      command: command
        .default("make evaluate MODEL={checkpoint}")
        .describe("Evaluation command; {checkpoint} is filled in."),
      checkpoint: globPath
        .default("checkpoints/best*")
        .describe("Checkpoint to evaluate: a glob inside the experiment's outputs. The newest match counts."),
      metrics: globPath
        .default("**/*eval*.json")
        .describe("JSON files with metrics: a glob inside the experiment's outputs."),
      timeoutMinutes: minutes.default(60).describe("Minutes until evaluation counts as failed."),
    })
    .nullable()
    .prefault({})
    .describe("null for no evaluation."),
  dashboard: z
    .strictObject({
      command: command.default("make dashboard").describe("Dashboard command."),
      port: z
        .number({ error: "must be a TCP port" })
        .int()
        .min(1, "must be 1 to 65535")
        .max(65535, "must be 1 to 65535")
        .default(8501)
        .describe("TCP port of the dashboard."),
    })
    .nullable()
    .prefault({})
    .describe("The workload's own dashboard; null for none. With `train.cluster: ray`, Ray's where this is left out."),
  results: z
    .strictObject({
      outputs: insidePath.default("outputs").describe("Folder that training writes to, relative to train.directory."),
      include: writtenGlobs.describe(
        "Globs of files elsewhere that are results, although a rule takes them for data or caches. Relative to the " +
          "workspace, or from `~/` or `/`. `**` matches any depth; a folder stands for all in it. A change starts no new run.",
      ),
      exclude: writtenGlobs.describe("Globs of files elsewhere that are no results, in the same form."),
      directory: z
        .string()
        .min(1)
        .default("results")
        .describe("Local folder. Results go to <directory>/<stack>/<experiment>."),
      ...bucketKeys,
    })
    .prefault({}),
});

/** An experiment file after validation, defaults filled in. */
export type Experiment = z.infer<typeof experimentSchema>;

/**
 * Reads and validates an experiment file.
 * @param file Path, as shown in errors.
 * @throws PlanError with every problem.
 */
export function readExperiment(file: string): Experiment {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new PlanError([
      {
        field: "lambda-train:experiment",
        value: file,
        message: "there is no such file",
        next: "Give the path of a YAML file, as configs/hmer-ink.yaml",
      },
    ]);
  }
  return parseExperiment(text, file);
}

/**
 * Reads and validates the text of an experiment file.
 * @param file What errors call it.
 * @throws PlanError with every problem.
 */
export function parseExperiment(text: string, file: string): Experiment {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw new PlanError(
      document.errors.map((error) => ({
        field: `${file}:`,
        value: "YAML",
        message: error.message.split("\n")[0] ?? "not YAML",
      })),
    );
  }
  const input = readInput(document, file);
  const parsed = experimentSchema.safeParse(input);
  if (!parsed.success) throw new PlanError(problemsOf(parsed.error, experimentSchema, input, `${file}: `));
  const { data } = parsed;
  // A cluster has a dashboard of its own: the default one would need a Makefile.
  const isDashboardGiven = typeof input === "object" && input !== null && "dashboard" in input;
  return data.train.cluster === undefined || isDashboardGiven ? data : { ...data, dashboard: null };
}

function readInput(document: Document, file: string): unknown {
  try {
    return readAs(document, experimentSchema) ?? {};
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PlanError([{ field: `${file}:`, value: "YAML", message }]);
  }
}
