import { InvalidArgumentError } from "commander";

/** Reads an option that names GPUs by their numbers. */
export function gpusOption(text: string): string {
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new InvalidArgumentError("Give the numbers of GPUs, as `npm run status` has them: 0, or 2,3.");
  }
  return text;
}

/** The variables by which a command sees some GPUs alone. Without a choice: none. */
export function gpuVariables(gpus: string | undefined): Readonly<Record<string, string>> {
  return gpus === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpus };
}

/** The words that run others with variables set. */
export function withVariables(variables: Readonly<Record<string, string>>, words: readonly string[]): string[] {
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return set.length === 0 ? [...words] : ["env", ...set, ...words];
}
