import { z } from "zod";
import { parseJson } from "../local/json";
import { experimentName } from "./experiment";
import { notifySchema } from "./notify";
import { PlanError, type Problem, problemsOf } from "./problems";
import type { CloudPlan } from "./types";

const number = (message: string) => z.coerce.number({ error: message }).finite();
const positive = (unit: string) => number(`must be a number of ${unit} above 0`).positive(`must be above 0 ${unit}`);
const cidr = z.union([z.ipv4(), z.cidrv4()], { error: "must be an IPv4 address or CIDR network, as 203.0.113.7/32" });

/** The network that a text names, without bits of a host in it: Lambda refuses them. */
function networkOf(text: string): string {
  const [address = "", length] = text.split("/");
  if (length === undefined) return text;
  const block = 2 ** (32 - Number(length));
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = number - (number % block);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".")}/${length}`;
}

/** Lambda's docs: with more firewall rules, new instances might not launch, and not all rules might be active. */
export const mostFirewallRules = 20;

/** Beside the union, which would hide what is wrong with one of its members. */
function checkSources(sources: "auto" | readonly string[], context: z.RefinementCtx): void {
  if (sources === "auto") return;
  const issue = (message: string, path: number[] = []): void => context.addIssue({ code: "custom", path, message });
  for (const [i, source] of sources.entries())
    if (networkOf(source) !== source) issue(`has host bits set: the network is ${networkOf(source)}`, [i]);
  if (sources.length > mostFirewallRules)
    issue(`must name at most ${mostFirewallRules} networks, as many as Lambda's firewall has rules`);
}

/**
 * What a stack file (`Pulumi.<stack>.yaml`) may hold under `lambda-train:`. docs/reference/stack-file.md is
 * generated from the descriptions.
 */
export const stackConfigSchema = z.strictObject({
  experiment: z
    .string({ error: "must be the path of an experiment file, as configs/hmer-ink.yaml" })
    .min(1)
    .describe("Path of the experiment file, relative to the project."),
  experimentName: experimentName
    .optional()
    .describe("Overrides the name in the experiment file. A change starts a new run."),
  endpoint: z
    .union([z.literal("emulated"), z.string().regex(/^https?:\/\/\S+$/)], {
      error: 'must be "emulated" or an http(s) URL that ends in /api/v1',
    })
    .optional()
    .describe(
      "API base URL, or `emulated` for the emulated cloud on this machine. Default: Lambda. A change replaces everything.",
    ),
  instances: number("must be a number of instances")
    .int("must be a whole number of instances")
    .min(1, "must be 1 to 100 instances")
    .max(100, "must be 1 to 100 instances")
    .optional()
    .describe(
      "Number of instances. Default: 1, or as many as `train.nodes` says. A change launches or ends the difference and " +
        "replaces nothing; the results of an instance that leaves are downloaded first.",
    ),
  apiKey: z
    .string()
    .min(1, "must not be empty")
    .optional()
    .describe(
      "API key, as a Pulumi secret (`pulumi config set --secret lambda-train:apiKey`). The variable LAMBDA_API_KEY overrides it.",
    ),
  instanceTypes: z
    .array(z.string().regex(/^[a-z0-9_]+$/, "must be an instance type as the API names it, as gpu_1x_a10"), {
      error: 'must be a list of instance types, best first, as ["gpu_1x_a10"]',
    })
    .min(1, "must name at least one instance type, as gpu_1x_a10")
    .describe(
      "Acceptable instance types, best first. A change replaces the instance unless its own type is still in the list.",
    ),
  regions: z
    .array(z.string().regex(/^[a-z]+(-[a-z]+)+-\d+$/, "must be a region as the API names it, as us-west-1"), {
      error: 'must be a list of regions, best first, as ["us-west-1"]',
    })
    .min(1, "must name at least one region, as us-west-1")
    .refine((regions) => new Set(regions).size === regions.length, "must name each region once")
    .optional()
    .describe(
      "Acceptable regions, best first. Default: the region of `fileSystem`; needed without one. A change replaces the " +
        "instance unless its own region is still in the list.",
    ),
  imageFamily: z
    .string()
    .regex(/^[a-z0-9-]+$/, "must be an image family as the API names it, as lambda-stack-22-04")
    .optional()
    .describe(
      "Image family, such as lambda-stack-22-04. Default: Lambda's default image. A change replaces the instance.",
    ),
  fileSystem: z
    .string()
    .regex(/^[a-zA-Z]+[0-9a-zA-Z-]*$/, "must start with a letter and hold letters, digits and dashes alone")
    .max(60, "must have at most 60 characters")
    .optional()
    .describe(
      "Lambda file system to attach at /lambda/nfs/<name>. Instances are launched in its region. A change replaces the instance.",
    ),
  createFileSystem: z
    .stringbool({ error: "must be true or false" })
    .default(false)
    .describe(
      "Create the file system if it doesn't exist, in the region that `regions` names. `down` keeps it, because it holds data; " +
        "`down --delete-file-system <name>` deletes it.",
    ),
  capacityTimeoutMinutes: number("must be a number of minutes, 0 or more")
    .min(0, "must be 0 minutes or more")
    .default(60)
    .describe("Minutes to wait for capacity. With 0, `up` tries every type and region once."),
  bootTimeoutMinutes: positive("minutes")
    .optional()
    .describe("Minutes to wait for `active` and SSH. Default: 15 for one GPU, 25 for up to four, 40 for eight."),
  sshSources: z
    .union([z.literal("auto"), z.array(cidr).min(1, "must name at least one network, as 203.0.113.7/32")], {
      error: 'must be "auto" or a list of IPv4 networks, as ["203.0.113.7/32"]',
    })
    .superRefine(checkSources)
    .default("auto")
    .describe("Networks that may open SSH, at most 20. `auto` is the address from which `up` runs. Updated in place."),
  recoveryKeys: z
    .array(
      z.string().regex(/^[a-z][a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\r\n]*)?$/, "must be a public key as one OpenSSH line"),
      { error: 'must be a list of public keys, as ["ssh-ed25519 AAAA… me"]' },
    )
    .default([])
    .describe(
      "Public SSH keys of yours that may log in too. If you lose every copy of the state, one of them still downloads the results (`npm run adopt -- --identity`). A change replaces the instance.",
    ),
  sshPort: number("must be a TCP port")
    .int()
    .min(1, "must be 1 to 65535")
    .max(65535, "must be 1 to 65535")
    .optional()
    .describe("TCP port of sshd. Default: 22, or the emulated cloud's port."),
  budgetDollars: positive("dollars")
    .optional()
    .describe(
      "Dollars that the stack's instances may cost together, each an equal share. A forecast over it prevents the launch. " +
        "The run stops when they are spent.",
    ),
  expectedHours: positive("hours").optional().describe("Hours that you expect the run to take, for the forecast."),
  maxPricePerHour: positive("dollars per hour")
    .optional()
    .describe("Highest acceptable price. `up` launches no type that costs more."),
  protect: z
    .stringbool({ error: "must be true or false" })
    .default(false)
    .describe(
      "Protect the instances, as Pulumi's `protect` does: `down`, `watch -- --destroy`, and changes that would replace or end " +
        "an instance are refused until it is false again and `up` has run; `train.whenDone: down` ends nothing. A change replaces nothing.",
    ),
  selfTerminate: z
    .enum(["false", "true", "lose-results"], { error: "must be true, false or lose-results" })
    .default("false")
    .describe(
      "Whether the instance terminates itself. It then holds an API key. `true`: only once its results are downloaded, or kept on `fileSystem`. `lose-results`: in any case.",
    ),
  selfTerminateAfterMinutes: positive("minutes")
    .default(60)
    .describe("Minutes from the last work on the instance until it terminates itself."),
  selfTerminateApiKey: z
    .string()
    .min(1, "must not be empty")
    .optional()
    .describe(
      "API key that the instance uses for `selfTerminate`, as a Pulumi secret. The variable LAMBDA_TRAIN_INSTANCE_API_KEY overrides it. Default: the stack's own.",
    ),
  secrets: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]), { error: "must be a map of names and values" })
    .optional()
    .describe(
      "Values of `environment.secrets` by name, each as a Pulumi secret " +
        "(`pulumi config set --secret --path 'lambda-train:secrets.HF_TOKEN'`). A variable of the environment overrides it.",
    ),
  notify: notifySchema
    .default([])
    .describe(
      "Whom to notify, and of what: see docs/notifications.md. Addresses are secrets or environment variables.",
    ),
});

/** Whether a key without its namespace is one of a stack's file. */
export function isStackKey(key: string): boolean {
  return key in stackConfigSchema.shape;
}

/** The stack's configuration after validation. */
export type StackConfig = z.infer<typeof stackConfigSchema>;

/** A message about what may be a secret, as addresses of notifications are, shows nothing of what was given. */
const hidden = "…";

/**
 * Validates the stack's configuration.
 * @param raw Key without namespace → value: text as `pulumi config` holds it, lists as JSON text.
 * @throws PlanError with every problem.
 */
export function parseStackConfig(raw: Readonly<Record<string, string>>): StackConfig {
  const input = Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, structured(value)]));
  const parsed = stackConfigSchema.safeParse(input);
  if (!parsed.success) {
    throw new PlanError(
      problemsOf(
        parsed.error,
        stackConfigSchema,
        {
          ...input,
          apiKey: undefined,
          selfTerminateApiKey: undefined,
          notify: hidden,
          ...(input.secrets !== undefined && { secrets: hidden }),
        },
        "lambda-train:",
      ),
    );
  }
  return parsed.data;
}

/** Lists reach a program as JSON text; a single name is as good as a list of one only where the schema says so. */
function structured(value: string): unknown {
  return /^\s*[[{]/.test(value) ? (parseJson(value) ?? value) : value;
}

/** What is wrong with where a stack may launch. */
export function placeProblems({ regions, fileSystem, createFileSystem }: StackConfig): Problem[] {
  const field = "lambda-train:regions";
  if (regions === undefined) {
    if (fileSystem !== undefined) return [];
    const message = 'must be a list of regions, best first, as ["us-west-1"]';
    return [{ field, value: undefined, message, next: "Name at least one; only a `fileSystem` tells one by itself" }];
  }
  if (fileSystem === undefined || regions.length === 1) return [];
  const message = `the file system ${fileSystem} lives in one region`;
  const next = createFileSystem ? "Name just that region" : "Name just that region, or leave `regions` out";
  return [{ field, value: regions, message, next }];
}

/** What is wrong with a protected instance that ends itself. */
export function protectProblems({ protect, selfTerminate }: StackConfig): Problem[] {
  if (!protect || selfTerminate === "false") return [];
  const message = "an instance that terminates itself isn't protected";
  return [{ field: "lambda-train:protect", value: protect, message, next: "Leave it out, or selfTerminate" }];
}

/** The part of the plan that says what to rent. */
export function cloudPlan(config: StackConfig): CloudPlan {
  return {
    endpoint: (config.endpoint ?? "https://cloud.lambda.ai/api/v1").replace(/\/+$/, ""),
    instanceTypes: config.instanceTypes,
    regions: config.regions ?? [],
    imageFamily: config.imageFamily,
    fileSystem:
      config.fileSystem === undefined ? undefined : { name: config.fileSystem, create: config.createFileSystem },
    capacityTimeoutSeconds: config.capacityTimeoutMinutes * 60,
    bootTimeoutSeconds: config.bootTimeoutMinutes === undefined ? undefined : config.bootTimeoutMinutes * 60,
    sshSources: config.sshSources,
    recoveryKeys: config.recoveryKeys,
    sshPort: config.sshPort,
    budgetDollars: config.budgetDollars,
    expectedHours: config.expectedHours,
    maxPricePerHour: config.maxPricePerHour,
    ...(config.protect && { protect: true }),
    selfTermination:
      config.selfTerminate === "false"
        ? undefined
        : {
            afterSeconds: config.selfTerminateAfterMinutes * 60,
            loseResults: config.selfTerminate === "lose-results",
          },
  };
}
