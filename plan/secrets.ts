import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { parseJson } from "../local/json";
import { keepSecret } from "../local/kept-secrets";
import { projectFolder } from "../local/paths";
import { PlanError, type Problem } from "./problems";
import type { SecretSource } from "./types";

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const name = z.string().regex(namePattern, "must be a name of an environment variable, as HF_TOKEN");
const file = z.string({ error: "must be a path on this machine" }).min(1, "must be a path on this machine");

/** `environment.secrets` of an experiment file. */
export const secretsSchema = z
  .array(
    z.union([name, z.record(name, file)], {
      error: "must be a name, as HF_TOKEN, or a name and a file, as {HF_TOKEN: ~/.cache/huggingface/token}",
    }),
    { error: "must be a list of names, as [HF_TOKEN, WANDB_API_KEY]" },
  )
  .optional();

/** Key of the stack's configuration that holds values of secrets by name, encrypted. */
export const secretsConfig = "lambda-train:secrets";

/** A shorter value would be masked wherever a word holds it. */
const shortest = 6;
/** As many digits as a number in an answer of an instance has at most, with sign and exponent. */
const asNumber = /^[-+.\d]{1,20}(e[-+]?\d{1,3})?$/i;
const usedInClear =
  "also occurs in clear, in the experiment, the stack or the stack's own words, where masking would hide it: what is no " +
  "secret belongs in environment.variables";
/** The longest that a program's environment takes. */
const longest = 100_000;

/** The secrets of an experiment, each with the file that may hold its value. */
export function secretsOf(secrets: z.infer<typeof secretsSchema>): SecretSource[] {
  return (secrets ?? []).flatMap((entry) =>
    typeof entry === "string" ? [{ name: entry }] : Object.entries(entry).map(([name, path]) => ({ name, file: path })),
  );
}

const hidden = "…";

/** Where values of secrets come from on this machine. */
export interface SecretPlaces {
  readonly environment: NodeJS.ProcessEnv;
  /** The stack's encrypted configuration: what it holds under `secrets`, as JSON text. */
  readonly configured: string | undefined;
  /** Text that must stay readable, so that no secret may occur in it. Default: none. */
  readonly clear?: string;
}

/** Values of secrets as far as they are found here, and what is wrong with the others. */
export interface FoundSecrets {
  /** By name. Never printed, and in no resource. */
  readonly values: Readonly<Record<string, string>>;
  /** In words, by name. */
  readonly from: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
}

/**
 * Finds the values of secrets: in the environment, else in the stack's configuration, else in their files. From then on
 * this process masks them in all that it prints.
 */
export function findSecrets(
  secrets: readonly SecretSource[],
  { environment, configured, clear = "" }: SecretPlaces,
): FoundSecrets {
  const kept = parseJson(configured ?? "{}");
  const values: Record<string, string> = {};
  const from: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const secret of secrets) {
    const { value, where, fault } = lookUp(secret, environment, kept);
    const wrong = fault ?? (value === undefined ? undefined : unfit(value, clear));
    if (value !== undefined && wrong === undefined) {
      values[secret.name] = value;
      from[secret.name] = where;
      keepSecret(value);
      continue;
    }
    problems.push({
      field: `environment.secrets: ${secret.name}`,
      ...(wrong !== undefined && { value: hidden }),
      message: wrong === undefined ? "there is no value for it here" : `the value from ${where} ${wrong}`,
      next: remedy(secret),
    });
  }
  return { values, from, problems };
}

/**
 * Sees that each secret has a value here, before anything is launched.
 * @returns where each comes from, in words, by name
 * @throws PlanError that names all those without one, and the ways to give it
 */
export function requireSecrets(
  secrets: readonly SecretSource[],
  places: SecretPlaces,
): Readonly<Record<string, string>> {
  const { from, problems } = findSecrets(secrets, places);
  if (problems.length > 0) throw new PlanError(problems);
  return from;
}

function remedy({ name, file }: SecretSource): string {
  const third = file === undefined ? `name a file: secrets: [{${name}: ~/path}]` : `write it to ${file}`;
  return (
    `Export ${name} in the environment of this command; or run npm run pulumi -- config set --secret --path ` +
    `'${secretsConfig}.${name}'; or ${third}`
  );
}

function lookUp(
  { name, file }: SecretSource,
  environment: NodeJS.ProcessEnv,
  kept: unknown,
): { readonly value?: string; readonly where: string; readonly fault?: string } {
  const given = environment[name];
  if (given !== undefined && given !== "") return { value: given, where: "the environment" };
  const configured = configuredValue(kept, name);
  if (configured !== undefined) return { value: configured, where: "the stack's configuration" };
  if (file === undefined) return { where: "" };
  const path = file.startsWith("~/") ? join(homedir(), file.slice(2)) : resolve(projectFolder(), file);
  try {
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return { value: text, where: `the file ${file}`, ...(text === "" && { fault: "is empty" }) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "error";
    return code === "ENOENT" ? { where: "" } : { where: `the file ${file}`, fault: `can't be read (${code})` };
  }
}

function configuredValue(kept: unknown, name: string): string | undefined {
  if (typeof kept !== "object" || kept === null) return undefined;
  const value = Object.entries(kept).find(([key]) => key === name)?.[1];
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

function unfit(value: string, clear: string): string | undefined {
  if (value.length < shortest)
    return `has ${value.length} characters: a secret has ${shortest} or more, since it is masked`;
  if (asNumber.test(value)) return "is a number, which occurs in times, sizes and losses: masking would hide those too";
  if (clear.includes(value)) return usedInClear;
  if (Buffer.byteLength(value) > longest) return `is longer than ${longest} bytes`;
  return value.includes("\0") ? "holds a NUL character" : undefined;
}
