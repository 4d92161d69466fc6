import type { NewApiFault, NewInstanceFault, NewLinkFault } from "./admin/faults";
import type { OverlayRequest } from "./admin/instances";
import type { NewMaintenance } from "./admin/maintenance";
import type { CapacityChange } from "./admin/settings";
import type { LoggedCall } from "./api/call-log";
import type { InstanceType } from "./catalog/instance-types";
import type { ApiFault, InstanceFault, LinkFault } from "./faults/model";
import type { Bill } from "./lifecycle/billing";
import type { Power } from "./sandbox/machine";
import type { Settings, SettingsPatch } from "./settings";
import type { ApiKeyRecord, Capacity, CloudState, InstanceRecord, MaintenanceRecord } from "./state/model";

/** State as the admin surface shows it: API keys without their secret. */
export type PublicState = Omit<CloudState, "apiKeys"> & { readonly apiKeys: readonly Omit<ApiKeyRecord, "key">[] };

/** Client of the emulated cloud's admin surface. Every method throws an Error with the surface's own message. */
export class AdminClient {
  /** @param adminUrl as in the run file */
  constructor(private readonly adminUrl: string) {}

  state = () => this.call<PublicState>("GET", "/state");
  ledger = () => this.call<{ entries: Bill[]; totalCents: number }>("GET", "/ledger");
  /** The newest calls of the API, those alone that came at or after a time (milliseconds since 1970). */
  calls = (since = 0) => this.call<LoggedCall[]>("GET", `/calls?since=${since}`);
  inventory = () => this.call<(InstanceType & { capacity: Record<string, Capacity> })[]>("GET", "/inventory");
  settings = () => this.call<Settings>("GET", "/settings");

  /** Changes settings; what the patch leaves out stays. */
  patchSettings = (patch: SettingsPatch) => this.call<Settings>("PATCH", "/settings", patch);
  /** Sets capacity of a type in a region; `*` stands for all types or all regions. */
  setCapacity = (change: CapacityChange) => this.call<{ changed: number }>("PUT", "/capacity", change);
  setPrice = (instanceType: string, centsPerHour: number) =>
    this.call<Record<string, number>>("PUT", "/prices", { instanceType, centsPerHour });
  /** Makes one more API key. The answer is its secret. */
  addKey = (name: string) => this.call<ApiKeyRecord>("POST", "/keys", { name });
  removeKey = (id: string) => this.call("DELETE", `/keys/${id}`);

  faults = () => this.call<{ api: ApiFault[]; instances: InstanceFault[]; links: LinkFault[] }>("GET", "/faults");
  addApiFault = (fault: NewApiFault) => this.call<ApiFault>("POST", "/faults/api", fault);
  addInstanceFault = (fault: NewInstanceFault) => this.call<InstanceFault>("POST", "/faults/instances", fault);
  addLinkFault = (fault: NewLinkFault) => this.call<LinkFault>("POST", "/faults/links", fault);
  removeFault = (id: string) => this.call("DELETE", `/faults/${id}`);
  removeAllFaults = () => this.call("DELETE", "/faults");

  /** Announces maintenance of instances' hosts. */
  addMaintenance = (maintenance: NewMaintenance) => this.call<MaintenanceRecord>("POST", "/maintenance", maintenance);
  setMaintenanceStatus = (id: string, status: MaintenanceRecord["status"]) =>
    this.call<MaintenanceRecord>("PUT", `/maintenance/${id}/status`, { status });

  instance = (id: string) => this.call<InstanceRecord & { power: Power }>("GET", `/instances/${id}`);
  /** Terminates an instance behind its owner's back. */
  terminate = (id: string) => this.call("POST", `/instances/${id}/terminate`);
  /** Restarts an instance behind its owner's back. */
  restart = (id: string) => this.call("POST", `/instances/${id}/restart`);
  /** Resets every open SSH connection of an instance. */
  dropConnections = (id: string) => this.call<{ dropped: number }>("POST", `/instances/${id}/drop-connections`);
  /** Puts a file into an instance, such as an `nvidia-smi` at `/usr/local/bin`. It stays through restarts. */
  putFile = (id: string, file: OverlayRequest) => this.call("POST", `/instances/${id}/files`, file);

  private async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.adminUrl + path, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const answer = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(`Admin call ${method} ${path} failed: ${answer.error ?? response.status}`);
    return answer;
  }
}
