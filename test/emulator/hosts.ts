import type { Client } from "ssh2";
import { stringify } from "yaml";
import { AdminClient } from "../../emulator/admin-client";
import { Cloud } from "../../emulator/cloud";
import { connect, exec, launch, newKeyPair, read, type SshTarget, temporaryFolder, until } from "./support";

/** An instance that was booted, and an open connection to it. */
export interface Booted {
  readonly id: string;
  readonly target: SshTarget;
  readonly ssh: Client;
}

/** A cloud with real machines, reached as a stack reaches them: own key, host key given by user_data. */
export class Hosts {
  readonly key = newKeyPair();
  readonly hostKey = newKeyPair();

  private constructor(
    readonly cloud: Cloud,
    readonly admin: AdminClient,
    /** Folder of the cloud's state. */
    readonly folder: string,
    private readonly remove: () => void,
  ) {}

  static async start(timeScale = 600): Promise<Hosts> {
    const { folder, remove } = temporaryFolder();
    const cloud = await Cloud.start({ folder, timeScale });
    const admin = new AdminClient(cloud.adminUrl);
    // Tests of the emulated instances call the API as fast as they can; nothing of the project does so here.
    await admin.patchSettings({ rateLimit: { enabled: false } });
    return new Hosts(cloud, admin, folder, remove);
  }

  async stop(): Promise<void> {
    await this.cloud.stop();
    this.remove();
  }

  /** cloud-config with the host key, and more. */
  userData(more: object = {}): string {
    const ssh_keys = { ed25519_private: this.hostKey.privateKey, ed25519_public: this.hostKey.publicKey };
    return `#cloud-config\n${stringify({ ssh_keys, ...more })}`;
  }

  launch(changes: Record<string, unknown> = {}): Promise<string> {
    return launch(this.cloud, { user_data: this.userData(), ...changes }, this.key);
  }

  /** Waits until an instance is active, and says where it is reached. */
  async locate(id: string): Promise<SshTarget> {
    const instance = await until("active", async () => {
      const now = await read(this.cloud, id);
      return now.status === "active" && now.ip && now;
    });
    return {
      host: instance.ip,
      port: this.cloud.sshPort,
      privateKey: this.key.privateKey,
      hostKey: this.hostKey.publicKey,
    };
  }

  async boot(changes: Record<string, unknown> = {}): Promise<Booted> {
    const id = await this.launch(changes);
    const target = await this.locate(id);
    return { id, target, ssh: await reach(target) };
  }
}

/** Opens a connection as soon as sshd answers. */
export const reach = (target: SshTarget): Promise<Client> =>
  until("sshd answers", () =>
    connect(target).catch((error: Error & { code?: string }) => {
      if (error.code !== "ECONNREFUSED") throw error;
      return undefined;
    }),
  );

/** What a command prints, with what surrounds it cut off. */
export const out = async (client: Client, command: string): Promise<string> => (await exec(client, command)).out.trim();
