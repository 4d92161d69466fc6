import * as fs from "node:fs";
import * as path from "node:path";
import { networkWithoutMachines } from "../network/addresses";
import { defaultSettings } from "../settings";
import { DiskFull, Reserve, readIfThere, writeAtomically } from "./files";
import { newApiKey } from "./ids";
import type { CloudState, FirewallRule } from "./model";
import { parseState } from "./parse";

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
    maintenance: [],
    ledger: [],
    audit: [],
    capacity: {},
    prices: {},
    apiFaults: [],
    instanceFaults: [],
    linkFaults: [],
  };
}

/** Folders of what the state alone knows the owner of: without the state nothing in them may be erased. */
export const diskFolders = ["instances", "filesystems"] as const;

/** The least room that is held for the next states. */
const leastReserve = 1024 * 1024;

/** Keeps the state in `<folder>/state.json`, or in memory alone where no folder is given. */
export class Store {
  readonly state: CloudState;
  private readonly file: string | undefined;
  private readonly reserve: Reserve | undefined;
  private isBehind = false;

  /**
   * @throws Error where the state is damaged, or missing although there are disks. Nothing has been changed then.
   */
  constructor(
    folder: string | undefined,
    timeScale?: number,
    private readonly log: (line: string) => void = () => {},
  ) {
    this.file = folder && path.join(folder, "state.json");
    this.reserve = folder === undefined ? undefined : new Reserve(path.join(folder, "state.reserve"));
    const text = this.file && readIfThere(this.file);
    if (folder !== undefined && text === undefined) refuseOrphans(folder);
    this.state = text === undefined ? newState(timeScale) : parseState(text, this.file as string);
    if (text !== undefined && timeScale !== undefined) this.state.settings.timeScale = timeScale;
    this.commit();
  }

  /**
   * Puts the state on disk: whole or not at all, and there to stay when this returns. Mode 0600 (it holds keys).
   * @throws DiskFull where there is no room, not even that of the reserve
   */
  commit(): void {
    if (this.file === undefined) return;
    const wasBehind = this.isBehind;
    this.isBehind = true;
    const text = JSON.stringify(this.state);
    try {
      this.write(text);
    } catch (error) {
      if (!wasBehind) this.log((error as Error).message);
      throw error;
    }
    this.isBehind = false;
    if (wasBehind) this.log("The state is saved again.");
  }

  /** Puts on disk what the passing of time has changed: now, or else as soon as there is room. */
  settle(hasChanged: boolean): void {
    if (!hasChanged && !this.isBehind) return;
    try {
      this.commit();
    } catch {
      // It has been told, and is tried again at the next occasion.
    }
  }

  /**
   * Sees that the next changes can be saved. What may begin only if they can asks before.
   * @throws DiskFull
   */
  makeRoom(): void {
    if (this.file === undefined) return;
    this.reserve?.hold(Math.max(leastReserve, 2 * fs.statSync(this.file).size));
  }

  private write(text: string): void {
    const file = this.file as string;
    try {
      writeAtomically(file, text);
    } catch (error) {
      if (!(error instanceof DiskFull)) throw error;
      this.reserve?.release();
      writeAtomically(file, text);
    }
  }
}

function refuseOrphans(folder: string): void {
  const kept = diskFolders.map((name) => path.join(folder, name)).filter((one) => fs.existsSync(one));
  const found = kept.find((one) => fs.readdirSync(one).length > 0);
  if (found !== undefined)
    throw new Error(
      `${path.join(folder, "state.json")} is missing, but ${found} holds disks. Nothing was erased. Put the file back, or erase everything with \`npm run cloud -- reset\`.`,
    );
}
