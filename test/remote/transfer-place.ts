import { createCipheriv } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { walkAll } from "../../local/folder/walk";
import { SshSession } from "../../remote/session";
import { type Uploaded, uploadTree } from "../../remote/transfer/upload";
import { type Relay, startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";

/** An instance, a connection that can be cut, and two folders that are new in each test. */
export interface TransferPlace {
  readonly sshd: TestSshd;
  readonly session: SshSession;
  readonly relay: Relay;
  /** A folder here. */
  readonly local: string;
  /** A folder there that does not exist yet, relative to the home. */
  readonly root: string;
  /** A path below `root`, as seen from here. */
  remote(path?: string): string;
  /** The access that leads through the relay. */
  through(): TestSshd["access"];
  /** Uploads the folder here to the one there. */
  send(target?: SshSession | TestSshd["access"], options?: { protectedPaths?: string[] }): Promise<Uploaded>;
}

/** Starts instance and relay before the tests of the calling file, and ends them after them. */
export function useTransferPlace(): TransferPlace {
  let sshd: TestSshd;
  let session: SshSession;
  let relay: Relay;
  let local: string;
  let number = 0;
  let root: string;

  beforeAll(async () => {
    sshd = await startSshd();
    session = await SshSession.connect(sshd.access);
    relay = await startRelay(sshd.access.port);
  });
  afterAll(async () => {
    session?.close();
    await relay?.close();
    await sshd?.stop();
  });
  beforeEach(async () => {
    local = await mkdtemp(join(tmpdir(), "lambda-train-transfer-"));
    root = `place-${++number}`;
  });
  afterEach(async () => {
    await rm(local, { recursive: true, force: true });
  });

  return {
    get sshd() {
      return sshd;
    },
    get session() {
      return session;
    },
    get relay() {
      return relay;
    },
    get local() {
      return local;
    },
    get root() {
      return root;
    },
    remote: (path = "") => join(sshd.home, root, path),
    through: () => ({ ...sshd.access, port: relay.port }),
    send: async (target = session, options = {}) =>
      uploadTree(target, { tree: await walkAll(local), remoteRoot: root, name: root, ...options }),
  };
}

/** File names that break what is careless. */
export const nastyNames = [
  "plain.txt",
  "with space",
  "-rf",
  "--help",
  "new\nline",
  "tab\t",
  "ünï/ко́д/🙂.bin",
  "quote'\"`$(id)",
  ".hidden/.deep",
  "a\\b",
  "*",
  "[x]?",
];

/** Writes files, and the folders that they lie in. */
export async function fill(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Content by path of everything below a folder; of a symbolic link `-> target`. */
export async function contents(folder: string, under = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const item of await readdir(join(folder, under), { withFileTypes: true })) {
    const path = under === "" ? item.name : `${under}/${item.name}`;
    if (item.isDirectory()) {
      Object.assign(found, await contents(folder, path));
    } else {
      found[path] = item.isSymbolicLink()
        ? `-> ${await readlink(join(folder, path))}`
        : await readFile(join(folder, path), "latin1");
    }
  }
  return found;
}

/** Bytes that do not compress, the same for the same seed. */
export const random = (bytes: number, seed: number): Buffer =>
  createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));
