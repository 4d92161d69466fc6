import { defaultSettings, type Settings } from "../settings";
import type { CloudState } from "./model";

/** Members that a state always had: without one of them it is damaged. */
const lists = [
  "apiKeys",
  "instances",
  "sshKeys",
  "fileSystems",
  "globalRules",
  "rulesets",
  "ledger",
  "audit",
  "apiFaults",
  "instanceFaults",
  "linkFaults",
] as const;
const objects = ["settings", "network", "capacity", "prices"] as const;

/**
 * The state that a file holds. What earlier versions lacked is filled in.
 *
 * @throws Error where the file is damaged: whoever erases disks goes by the whole state
 */
export function parseState(text: string, file: string): CloudState {
  const state = parsed(text) as Partial<CloudState> | undefined;
  const damage = damageOf(state);
  if (state === undefined || damage !== undefined)
    throw new Error(
      `${file} is damaged: ${damage}. No disk was erased. Put a copy of the file back, or erase everything with \`npm run cloud -- reset\`.`,
    );
  const whole = state as CloudState;
  return { ...whole, maintenance: whole.maintenance ?? [], settings: withDefaults(whole.settings) };
}

function damageOf(state: Partial<CloudState> | undefined): string | undefined {
  if (state?.version !== 1) return "it isn't a state of this version of the emulated cloud";
  const lacking = lists.find((name) => !Array.isArray(state[name]));
  if (lacking !== undefined) return `it has no ${lacking}`;
  return objects
    .filter((name) => typeof state[name] !== "object" || state[name] === null)
    .map((n) => `it has no ${n}`)[0];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Settings of an earlier version may lack some of this one. */
function withDefaults(kept: Settings): Settings {
  const groups = Object.entries(defaultSettings()).map(([name, preset]) => {
    const value = kept[name as keyof Settings] as unknown;
    return [name, typeof preset === "object" ? { ...preset, ...(value as object) } : (value ?? preset)];
  });
  return Object.fromEntries(groups) as Settings;
}
