import { mkdirSync } from "node:fs";
import type { Server } from "node:net";
import * as path from "node:path";
import type { FastifyInstance } from "fastify";
import { adminServer } from "./admin/server";
import { CallLog } from "./api/call-log";
import { holding } from "./api/present";
import { apiServer } from "./api/server";
import { Inventory } from "./catalog/inventory";
import { Lifecycle } from "./lifecycle/lifecycle";
import { claimNetwork } from "./network/addresses";
import { type NetworkKind, openRouter } from "./network/router/open";
import type { Router } from "./network/router/router";
import { basePath } from "./openapi/document";
import { findBwrap } from "./sandbox/bwrap";
import { Machines } from "./sandbox/machines";
import { patchSettings, type Settings } from "./settings";
import { newestTime } from "./state/newest";
import { Store } from "./state/store";
import { steadyClock } from "./state/time";

export interface CloudOptions {
  /** Folder of state and disks (`<local>/cloud`), made if need be. Undefined: in memory, and without machines. */
  readonly folder?: string;
  /** Port of the API. 0: a free one. */
  readonly port?: number;
  /** Port of the admin surface. 0: a free one. */
  readonly adminPort?: number;
  /** The cloud's durations are divided by this. Default: as kept on disk, else 60. */
  readonly timeScale?: number;
  /** Ports of this machine's 127.0.0.1 that instances reach. Default: as kept on disk, else none. */
  readonly hostPorts?: readonly number[];
  /** `sandbox`: instances are hosts with sshd; `none`: they are in the API alone. Default `sandbox` with a folder. */
  readonly instances?: "sandbox" | "none";
  /** `shared`: instances share this machine's network. Default `own`, where this machine can give them one. */
  readonly network?: NetworkKind;
  /** Takes what the emulator has to tell. Default: nobody. */
  readonly log?: (line: string) => void;
  /** Told of settings that the admin surface changed. */
  readonly onSettings?: (settings: Settings) => void;
  /** Milliseconds since the Unix epoch. Default: the real time. */
  readonly now?: () => number;
}

/** How often states are looked at, besides at each call. */
const tickMs = 50;

/** A running emulated cloud. Everything listens on loopback addresses alone. */
export class Cloud {
  private constructor(
    readonly store: Store,
    readonly machines: Machines,
    readonly lifecycle: Lifecycle,
    /** Base URL of the API, `…/api/v1`. */
    readonly url: string,
    /** Base URL of the admin surface. The secret in its path lets nobody else on this machine use it. */
    readonly adminUrl: string,
    private readonly servers: readonly FastifyInstance[],
    private readonly ticker: NodeJS.Timeout,
    private readonly claim: Server | undefined,
    private readonly router: Router | undefined,
  ) {}

  /**
   * Starts a cloud: reads its state, boots the machines of its instances, listens.
   *
   * @throws Error that says what to do, where sandboxes cannot be had or a port is taken
   */
  static async start(options: CloudOptions = {}): Promise<Cloud> {
    const { folder, log = () => {} } = options;
    if (folder) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const withMachines = folder !== undefined && options.instances !== "none";
    const bwrap = withMachines ? findBwrap() : undefined;
    const store = new Store(folder && path.resolve(folder), options.timeScale, log);
    const { state } = store;
    if (options.hostPorts)
      state.settings = patchSettings(state.settings, { network: { hostPorts: [...options.hostPorts] } });
    const now = steadyClock(options.now ?? Date.now, newestTime(state));

    const kept = holding(state).length > 0 ? state.network : undefined;
    const claimed = withMachines ? await claimNetwork(path.resolve(folder), kept) : undefined;
    if (claimed) state.network = claimed.network;
    const router = withMachines ? await openRouter(state, options.network, log) : undefined;
    const machines = new Machines(state, folder && path.resolve(folder), bwrap, router, log);
    machines.eraseStrays();
    const inventory = new Inventory(state);
    const lifecycle = new Lifecycle(store, inventory, machines, now);

    const parts = { state, store, inventory, lifecycle, machines, now, log };
    const calls = new CallLog();
    const api = apiServer({ ...parts, calls });
    const admin = adminServer({ ...parts, calls, onSettings: options.onSettings ?? (() => {}) });
    const origin = await listen(api, options.port ?? 0, state.apiPort).catch(async (error) => {
      await router?.close();
      throw error;
    });
    state.apiPort = Number(new URL(origin).port);
    router?.offer(state.apiPort, (socket) => api.server.emit("connection", socket));
    store.commit();
    const adminOrigin = await admin.server.listen({ host: "127.0.0.1", port: options.adminPort ?? 0 });
    let told = "";
    const ticker = setInterval(() => {
      try {
        lifecycle.advance();
        told = "";
      } catch (error) {
        // A full disk, say: the instances run on, and the next tick tries again.
        const { message } = error as Error;
        if (message !== told) log(`States could not be moved on: ${message}`);
        told = message;
      }
    }, tickMs);
    lifecycle.advance();
    return new Cloud(
      store,
      machines,
      lifecycle,
      origin + basePath,
      adminOrigin + admin.path,
      [api, admin.server],
      ticker,
      claimed?.claim,
      router,
    );
  }

  /** The first API key. Secret. */
  get apiKey(): string {
    return this.store.state.apiKeys[0]?.key ?? "";
  }

  /** Port of instances' sshd. */
  get sshPort(): number {
    return this.store.state.network.sshPort;
  }

  /** Stops it all; state and disks stay, and the instances boot again with the next start. */
  async stop(): Promise<void> {
    clearInterval(this.ticker);
    await Promise.all(this.servers.map((server) => server.close()));
    await this.machines.close();
    await this.router?.close();
    this.claim?.close();
    this.store.commit();
  }
}

/** Listens on the port asked for; where any will do (0), on the one of the last run if it is free. */
async function listen(server: FastifyInstance, wanted: number, last: number | undefined): Promise<string> {
  if (wanted === 0 && last !== undefined) {
    try {
      return await server.listen({ host: "127.0.0.1", port: last });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
  return server.listen({ host: "127.0.0.1", port: wanted });
}
