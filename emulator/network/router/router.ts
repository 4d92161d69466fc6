import * as fs from "node:fs";
import * as net from "node:net";
import { pipeline } from "node:stream";
import type { CloudState, Network } from "../../state/model";
import type { Attachment } from "../attachment";
import { Namespace } from "./namespace";
import { WayOut } from "./outside";
import { type AddressPlan, addressPlan, outside } from "./plan";
import { lastNumber, routerRules } from "./rules";
import { hostPortsScript, joinScript, leaveScript, routerScript } from "./scripts";

/** Port of sshd in an instance. */
const sshPort = 22;

/**
 * The network of a cloud's instances: each has a network namespace, and a cable from there to a router with the firewall
 * and the way out. Of this machine's loopback address it lets them reach the ports that the cloud offers, and no other.
 */
export class Router {
  /** Processes of the instances that are joined, by the last number of their addresses. */
  private readonly joined = new Map<number, number>();
  /** What takes calls at ports of 127.0.0.1, for as long as the router runs. */
  private readonly offered = new Map<number, (socket: net.Socket) => void>();
  /** Ports of 127.0.0.1 that lead to the host, at which the router listens. */
  private hostPorts: readonly number[] = [];
  private seen: readonly unknown[] = [];
  private applying: Promise<void> = Promise.resolve();
  /** Whether something has changed that waits for its turn. */
  private isWaiting = false;
  private isClosed = false;

  private constructor(
    private readonly plan: AddressPlan,
    private readonly state: CloudState,
    private readonly namespace: Namespace,
    private readonly wayOut: WayOut,
    private readonly log: (line: string) => void,
  ) {
    namespace.ended.then(() => {
      if (!this.isClosed)
        log("The instances' router has ended. Start the emulated cloud anew: no instance can be reached.");
    });
  }

  /**
   * Starts the router of a cloud.
   *
   * @param network of the cloud's instances
   * @throws Error that says what this machine lacks for it
   */
  static async start(state: CloudState, network: Network, log: (line: string) => void): Promise<Router> {
    const plan = addressPlan(network);
    const namespace = await Namespace.make(log);
    try {
      const [wayOut] = await Promise.all([WayOut.open(namespace.pid), namespace.run(routerScript(plan))]);
      const router = new Router(plan, state, namespace, wayOut, log);
      await router.applyRules();
      return router;
    } catch (error) {
      await namespace.close();
      throw error;
    }
  }

  /** How a machine takes part in the network. */
  attachment(ip: string): Attachment {
    const n = lastNumber(ip);
    const address = `${this.plan.private}.${n}`;
    // Callers of the public port may call the private address at the same one.
    const ports = new Set([sshPort, this.state.network.sshPort]);
    return {
      sshAddresses: ["127.0.0.1", address].flatMap((host) => [...ports].map((port) => `${host}:${port}`)),
      resolver: resolverFile(),
      namespace: {
        wrap: (command) => this.namespace.wrap(command, "outside"),
        join: async (pid) => {
          this.joined.set(n, pid);
          const ports = this.hostPorts;
          await this.namespace.run(joinScript(this.plan, n, pid, ports));
          if (ports !== this.hostPorts) await this.namespace.run(hostPortsScript(pid, this.hostPorts));
        },
        leave: async () => {
          this.joined.delete(n);
          if (!this.isClosed) await this.namespace.run(leaveScript(n));
        },
      },
      connect: () => this.namespace.connect(address, sshPort),
    };
  }

  /** Lets instances reach a port of 127.0.0.1, where `accept` takes what calls. */
  offer(port: number, accept: (socket: net.Socket) => void): void {
    this.offered.set(port, accept);
    this.seen = [];
    this.refresh();
  }

  /** Brings firewall and host ports to what the state says. Cheap where nothing has changed. */
  refresh(): void {
    const { instances, rulesets, globalRules, settings } = this.state;
    const wanted = settings.network.hostPorts;
    // Rules are replaced, never changed, so the same list has the same rules.
    const now = [
      globalRules,
      ...rulesets.flatMap(({ id, rules }) => [id, rules]),
      ...instances.map(({ id, status }) => `${id}${status === "terminated" || status === "preempted"}`),
      wanted,
    ];
    if (now.length === this.seen.length && now.every((one, index) => one === this.seen[index])) return;
    this.seen = now;
    this.listenAt([...new Set([...this.offered.keys(), ...wanted])]);
    // What changes while rules are put in force is put in force together, once that is done.
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.applying = this.applying.then(() => this.apply()).catch((error: Error) => this.log(error.message));
  }

  /** Ends it. Connections of this machine to instances are to be closed before. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.applying;
    await Promise.all([this.namespace.close(), this.wayOut.close()]);
  }

  private async apply(): Promise<void> {
    this.isWaiting = false;
    if (!this.isClosed) await this.applyRules();
  }

  private listenAt(ports: readonly number[]): void {
    const before = this.hostPorts;
    if (ports.length === before.length && ports.every((port, index) => port === before[index])) return;
    this.hostPorts = ports;
    for (const port of before) if (!ports.includes(port)) this.namespace.unlisten(port);
    for (const port of ports)
      if (!before.includes(port))
        this.namespace.listen(this.plan.gateway, port, this.offered.get(port) ?? ((socket) => toHost(socket, port)));
    // An instance that ends meanwhile needs none.
    for (const pid of this.joined.values()) this.namespace.run(hostPortsScript(pid, ports)).catch(() => {});
  }

  private applyRules(): Promise<void> {
    return this.namespace.run(`exec nft -f - <<'END'\n${routerRules(this.state, this.plan, this.hostPorts)}END\n`);
  }
}

/** Carries a connection on to a port of this machine. */
function toHost(socket: net.Socket, port: number): void {
  const host = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  // What goes wrong on one side ends the other; there is nobody to tell.
  pipeline(socket, host, () => host.destroy());
  pipeline(host, socket, () => socket.destroy());
}

/** This machine's /etc/resolv.conf, with the way out's resolver for one of this machine's own. */
function resolverFile(): string {
  const text = fs.existsSync("/etc/resolv.conf") ? fs.readFileSync("/etc/resolv.conf", "utf8") : "";
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const kept = lines.map((line) => line.replace(/^nameserver\s+(127\.|::1).*/, `nameserver ${outside.resolver}`));
  return [...new Set(kept)].join("\n");
}
