import type { z } from "zod";
import type { Ticks } from "./clock";
import { isKind, LambdaApiError } from "./errors";
import type { PaceKind, Pacer } from "./pacer";
import { afterRateLimit, exceptUnknown, never, type RetryRule, repeatable, withRetries } from "./retry";
import {
  type AuditPage,
  answers,
  type FileSystem,
  type FirewallRule,
  type FirewallRuleset,
  type Image,
  type Instance,
  type MaintenancePage,
  type Offer,
  type Region,
  type SshKey,
} from "./schemas";
import { SharedReads } from "./shared-reads";
import { type Call, exchange, type Transport, unreadable } from "./transport";

export interface LambdaClientOptions extends Transport {
  readonly pacer: Pacer;
  readonly clock: Ticks;
  /** Shares answers with other connections to the same endpoint. Default: with none. */
  readonly reads?: SharedReads;
  /** Tries of a call in all. Default 7: about two minutes. */
  readonly attempts?: number;
  /** Told before each pause that precedes another try. */
  readonly onRetry?: (error: LambdaApiError, pauseSeconds: number) => void;
}

/** What to launch. Names are those of things that exist in the account already. */
export interface LaunchRequest {
  readonly region: string;
  readonly instanceType: string;
  readonly sshKeyName: string;
  readonly name: string;
  readonly imageFamily?: string;
  /** Plain text for cloud-init, up to 1 MB. Secret: it may hold keys. */
  readonly userData?: string;
  readonly fileSystemNames?: readonly string[];
  readonly rulesetIds?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
}

export interface CallOptions {
  /** Ends the wait: for the answer of a read, else for the turn. What was sent to change something is not given up. */
  readonly signal?: AbortSignal;
  /** Runs after the wait for a turn, right before each request; what it throws prevents the request. */
  readonly beforeSend?: () => Promise<void>;
  /**
   * Of a read: takes an answer to the same question whose request left so many of the cloud's seconds ago, unless this process
   * has changed something since. Default: none that left before this call.
   */
  readonly withinSeconds?: number;
}

/**
 * Lambda's Cloud API v1, typed. Calls are paced; alike reads that wait for their turn become one; calls that do no harm when repeated are retried; launches and
 * creations fail with kind `unclear` where it is unknown whether they were executed. Failures are LambdaApiErrors.
 */
export class LambdaClient {
  private readonly reads: SharedReads;

  constructor(private readonly options: LambdaClientOptions) {
    this.reads = options.reads ?? new SharedReads(() => options.clock.now());
  }

  /** All instances of the key's workspace, the terminating ones too. */
  listInstances(options?: CallOptions): Promise<Instance[]> {
    return this.get("list instances", "/instances", answers.instances, options);
  }

  getInstance(id: string, options?: CallOptions): Promise<Instance> {
    return this.get(`read instance ${id}`, `/instances/${segment(id)}`, answers.instance, options);
  }

  /** Renames an instance or replaces its whole set of tags; nothing else of it can change. */
  updateInstance(id: string, change: { name?: string; tags?: Readonly<Record<string, string>> }): Promise<Instance> {
    const body = { name: change.name, ...(change.tags === undefined ? {} : { tags: tagList(change.tags) }) };
    const call = {
      operation: `update instance ${id}`,
      method: "POST",
      path: `/instances/${segment(id)}`,
      body,
    } as const;
    return this.call(call, answers.instance, repeatable);
  }

  /** Starts one instance and returns its id. Not idempotent: after kind `unclear` look for the name first. */
  launch(request: LaunchRequest, options?: CallOptions): Promise<string> {
    const operation = `launch ${request.instanceType} in ${request.region}`;
    const body = {
      region_name: request.region,
      instance_type_name: request.instanceType,
      ssh_key_names: [request.sshKeyName],
      name: request.name,
      user_data: request.userData,
      image: request.imageFamily === undefined ? undefined : { family: request.imageFamily },
      file_system_names: request.fileSystemNames,
      firewall_rulesets: request.rulesetIds?.map((id) => ({ id })),
      tags: request.tags === undefined ? undefined : tagList(request.tags),
    };
    const call = { operation, method: "POST", path: "/instance-operations/launch", body } as const;
    return this.call(call, answers.launched, afterRateLimit, options, "launch");
  }

  /** Terminates one instance for good and returns it as terminating. */
  async terminate(id: string, options?: CallOptions): Promise<Instance> {
    const path = "/instance-operations/terminate";
    // One id a call: one bad id makes the whole batch fail.
    const call = { operation: `terminate instance ${id}`, method: "POST", path, body: { instance_ids: [id] } } as const;
    const ended = await this.call(call, answers.terminated, exceptUnknown, options);
    const instance = ended.find((each) => each.id === id);
    if (instance === undefined) throw unreadable(call, "the answer does not name the instance");
    return instance;
  }

  /** Every instance type on offer, the sold-out ones too, with live prices. */
  listInstanceTypes(options?: CallOptions): Promise<Offer[]> {
    return this.get("list instance types", "/instance-types", answers.offers, options);
  }

  listSshKeys(): Promise<SshKey[]> {
    return this.get("list SSH keys", "/ssh-keys", answers.sshKeys);
  }

  addSshKey(key: { readonly name: string; readonly publicKey: string }): Promise<SshKey> {
    const body = { name: key.name, public_key: key.publicKey };
    return this.add(`add SSH key ${key.name}`, "/ssh-keys", body, answers.sshKey);
  }

  deleteSshKey(id: string): Promise<void> {
    return this.remove(`delete SSH key ${id}`, `/ssh-keys/${segment(id)}`);
  }

  listFileSystems(): Promise<FileSystem[]> {
    return this.get("list file systems", "/file-systems", answers.fileSystems);
  }

  // The API lists file systems at /file-systems, but creates and deletes them at /filesystems.
  createFileSystem(fileSystem: { readonly name: string; readonly region: string }): Promise<FileSystem> {
    return this.add(`create file system ${fileSystem.name}`, "/filesystems", fileSystem, answers.fileSystem);
  }

  /** Deletes a file system with all that it holds. */
  deleteFileSystem(id: string): Promise<void> {
    return this.remove(`delete file system ${id}`, `/filesystems/${segment(id)}`);
  }

  /** One row for each image and region. */
  listImages(): Promise<Image[]> {
    return this.get("list images", "/images", answers.images);
  }

  listRegions(): Promise<Region[]> {
    return this.get("list regions", "/regions", answers.regions);
  }

  listRulesets(): Promise<FirewallRuleset[]> {
    return this.get("list firewall rulesets", "/firewall-rulesets", answers.rulesets);
  }

  getRuleset(id: string): Promise<FirewallRuleset> {
    return this.get(`read firewall ruleset ${id}`, `/firewall-rulesets/${segment(id)}`, answers.ruleset);
  }

  createRuleset(ruleset: {
    readonly name: string;
    readonly region: string;
    readonly rules: readonly FirewallRule[];
  }): Promise<FirewallRuleset> {
    const body = { name: ruleset.name, region: ruleset.region, rules: ruleset.rules.map(ruleBody) };
    return this.add(`create firewall ruleset ${ruleset.name}`, "/firewall-rulesets", body, answers.ruleset);
  }

  updateRuleset(id: string, change: { name?: string; rules?: readonly FirewallRule[] }): Promise<FirewallRuleset> {
    const body = { name: change.name, rules: change.rules?.map(ruleBody) };
    const path = `/firewall-rulesets/${segment(id)}`;
    const call = { operation: `update firewall ruleset ${id}`, method: "PATCH", path, body } as const;
    return this.call(call, answers.ruleset, repeatable);
  }

  /** Fails with kind `in-use` while an instance has it. */
  deleteRuleset(id: string): Promise<void> {
    return this.remove(`delete firewall ruleset ${id}`, `/firewall-rulesets/${segment(id)}`);
  }

  /** The rules of all instances of the workspace, outside of us-south-1. */
  getGlobalRules(): Promise<FirewallRuleset> {
    return this.get("read global firewall rules", "/firewall-rulesets/global", answers.ruleset);
  }

  /** What was done to instances since a time (ISO 8601), one page of it. */
  listInstanceEvents(since: string, page?: string): Promise<AuditPage> {
    const query = new URLSearchParams({ start: since, resource_type: "cloud.instance" });
    if (page !== undefined) query.set("page_token", page);
    const call = {
      operation: "list audit events",
      method: "GET",
      path: `/audit-events?${query}`,
      whole: true,
    } as const;
    return this.call(call, answers.auditPage, repeatable);
  }

  /** Announced maintenance of the workspace's instances, one page of it. Asked once: nothing depends on the answer. */
  listMaintenanceEvents(page?: string): Promise<MaintenancePage> {
    const query = page === undefined ? "" : `?${new URLSearchParams({ page_token: page })}`;
    const call = { operation: "list maintenance events", method: "GET", path: `/maintenance_events${query}` } as const;
    return this.call(call, answers.maintenancePage, never);
  }

  private get<T>(operation: string, path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T> {
    return this.call({ operation, method: "GET", path }, schema, repeatable, options);
  }

  private add<T>(operation: string, path: string, body: { name: string }, schema: z.ZodType<T>): Promise<T> {
    return this.call({ operation, method: "POST", path, body }, schema, afterRateLimit, { name: body.name });
  }

  private remove(operation: string, path: string): Promise<void> {
    return this.call({ operation, method: "DELETE", path }, answers.nothing, repeatable);
  }

  private call<T>(
    call: Call,
    schema: z.ZodType<T>,
    rule: RetryRule,
    options: CallOptions & { readonly name?: string } = {},
    pace: PaceKind = "call",
  ): Promise<T> {
    const { pacer, clock, attempts, onRetry, apiKey } = this.options;
    const { signal, beforeSend, name, withinSeconds = 0 } = options;
    const isRead = call.method === "GET";
    const send = async (own?: AbortSignal, onSend?: () => void): Promise<T> => {
      await pacer.turn(pace, { name, signal: own });
      onSend?.();
      await beforeSend?.();
      if (!isRead) this.reads.forget();
      try {
        const answer = schema.safeParse(await exchange(this.options, call));
        if (answer.success) return answer.data;
        const where = answer.error.issues.map((issue) => issue.path.join(".") || "data").slice(0, 3);
        throw unreadable(call, `an answer that can't be read (${where.join(", ")})`, answer.error);
      } catch (error) {
        if (isKind(error, "rate-limit")) await pacer.holdOff(pace, error.facts.retryAfterSeconds ?? 0);
        throw rule === afterRateLimit ? unclearIfRun(error) : error;
      } finally {
        // Also what was asked in between: it may have been answered before the change was made.
        if (!isRead) this.reads.forget();
      }
    };
    const once = async (): Promise<T> => {
      if (!isRead) return send(signal);
      const read = (onSend: () => void): Promise<T> => send(undefined, onSend);
      return this.reads.ask(`${apiKey()} ${call.path}`, read, { signal, withinMs: withinSeconds * 1000 });
    };
    return withRetries(once, { clock, rule, attempts, onRetry, signal, firstPauseSeconds: pace === "launch" ? 12 : 2 });
  }
}

/** A call that must not be repeated and may have been executed is unclear, whatever the error says. */
function unclearIfRun(error: unknown): unknown {
  if (!(error instanceof LambdaApiError) || !error.facts.mayHaveRun) return error;
  const hint = "It may have been executed: look for its name before trying again";
  const what = `unclear whether it was executed (${error.facts.code ?? error.facts.status ?? error.facts.kind})`;
  return new LambdaApiError(what, { ...error.facts, kind: "unclear", retryable: false, hint }, error);
}

function segment(id: string): string {
  return encodeURIComponent(id);
}

function tagList(tags: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

function ruleBody(rule: FirewallRule): object {
  const { protocol, portRange, sourceNetwork, description } = rule;
  return { protocol, port_range: portRange, source_network: sourceNetwork, description };
}
