import * as fs from "node:fs";
import * as path from "node:path";
import { networkWithoutMachines } from "../network/addresses";
import { defaultSettings } from "../settings";
import { newApiKey } from "./ids";
import type { CloudState, FirewallRule } from "./model";

/** Rules of a workspace that nobody has changed: SSH and ping from anywhere. */
const defaultRules: FirewallRule[] = [
  { protocol: "tcp", port_range: [22, 22], source_network: "0.0.0.0/0", description: "Allow SSH from anywhere" },
  { protocol: "icmp", source_network: "0.0.0.0/0", description: "Allow ICMP ping from anywhere" },
];

/** State of a new cloud, with one API key. */
export function newState(timeScale?: number): CloudState {
  return {
    version: 1,
    settings: defaultSettings(timeScale),
    network: networkWithoutMachines(),
    apiKeys: [newApiKey("default")],
    instances: [],
    sshKeys: [],
    fileSystems: [],
    globalRules: defaultRules,
    rulesets: [],
    ledger: [],
    audit: [],
    capacity: {},
    prices: {},
    apiFaults: [],
    instanceFaults: [],
    linkFaults: [],
  };
}

/** Keeps the state in `<folder>/state.json`, or in memory alone where no folder is given. */
export class Store {
  readonly state: CloudState;
  private readonly file: string | undefined;

  /** @throws Error where the file exists but cannot be read as a state. */
  constructor(folder: string | undefined, timeScale?: number) {
    this.file = folder && path.join(folder, "state.json");
    const text = this.file && readIfThere(this.file);
    this.state = text ? parse(text, this.file as string) : newState(timeScale);
    // A state of an earlier version may lack a setting.
    this.state.settings = { ...defaultSettings(), ...this.state.settings };
    if (text && timeScale !== undefined) this.state.settings.timeScale = timeScale;
    this.commit();
  }

  /** Puts the state on disk: whole or not at all, and there to stay when this returns. Mode 0600 (it holds keys). */
  commit(): void {
    if (this.file) writeAtomically(this.file, JSON.stringify(this.state));
  }
}

/** Replaces a file in one step, mode 0600. */
export function writeAtomically(file: string, content: string): void {
  const next = `${file}.${process.pid}.next`;
  const fd = fs.openSync(next, "w", 0o600);
  try {
    fs.writeFileSync(fd, content);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(next, file);
}

function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string, file: string): CloudState {
  let state: CloudState | undefined;
  try {
    state = JSON.parse(text) as CloudState;
  } catch {
    // Told below, together with a file of another kind.
  }
  if (state?.version !== 1)
    throw new Error(`${file} is no state of this emulated cloud. Erase it with \`npm run cloud -- reset\`.`);
  return state;
}
