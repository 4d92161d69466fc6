import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { MachineNamespace } from "../network/attachment";
import { overlayFolder, seedFolder } from "./init";

/** What a sandbox is made of. All paths are absolute, on the host unless said otherwise. */
export interface SandboxSpec {
  readonly hostname: string;
  readonly root: string;
  readonly usrLocal: string;
  readonly seed: string;
  readonly overlay: string;
  /** Folders of file systems: path on the host and mount point in the instance. */
  readonly mounts: readonly { readonly folder: string; readonly mountPoint: string }[];
  /** Bytes that home may hold, kept in memory; undefined: home is on the instance's disk. */
  readonly homeBytes?: number;
  /** Its own network namespace. Undefined: it shares the host's. */
  readonly namespace?: MachineNamespace;
}

const programs = {
  bwrap: { paths: ["/usr/bin/bwrap", "/usr/local/bin/bwrap"], package: "bubblewrap" },
  sshd: { paths: ["/usr/sbin/sshd"], package: "openssh-server" },
  "ssh-keygen": { paths: ["/usr/bin/ssh-keygen"], package: "openssh-client" },
  bash: { paths: ["/usr/bin/bash"], package: "bash" },
  setpriv: { paths: ["/usr/bin/setpriv"], package: "util-linux" },
};

/**
 * Path of bubblewrap.
 *
 * @throws Error that says what to install, where this host cannot run instances.
 */
export function findBwrap(): string {
  if (process.platform !== "linux")
    throw new Error(
      `Emulated instances need Linux, and this is ${process.platform}. Run the emulated cloud in a Linux container, or without instances: --instances none.`,
    );
  const found = Object.entries(programs).map(([name, { paths }]) => [name, paths.find(isExecutable)] as const);
  const missing = found.filter(([, path]) => !path).map(([name]) => name as keyof typeof programs);
  if (missing.length > 0)
    throw new Error(
      `Emulated instances need ${missing.join(" and ")}, which this machine lacks. Install with: sudo apt-get install ${missing.map((name) => programs[name].package).join(" ")}`,
    );
  const bwrap = found.find(([name]) => name === "bwrap")?.[1] as string;
  const trial = spawnSync(bwrap, [
    ...(isRoot() ? [] : ["--unshare-user"]),
    ...["--unshare-pid", "--ro-bind", "/", "/", "/bin/true"],
  ]);
  if (trial.status !== 0)
    throw new Error(
      `bubblewrap cannot make a sandbox here: ${String(trial.stderr).trim()}. Where the kernel refuses user namespaces to ordinary users, allow them (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; in a container, a seccomp profile that permits them), or run the emulated cloud as root.`,
    );
  return bwrap;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** User and group of everything in an instance. */
export const guestUser = 1000;

/** Whether this process is root, whose sandboxes need no user namespace, but must get rid of root's powers. */
export const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Who runs in the sandbox. An ordinary user becomes 1000 in a user namespace. Root's sandbox runs as the real user 1000
 * without any capability: in a namespace that maps root it would still be root to the kernel's own files, such as those
 * of /proc/sys.
 */
function identity(ownFolders: readonly string[], isWrapped: boolean): { options: string[]; command: string[] } {
  const user = String(guestUser);
  const init = ["/usr/bin/bash", `${seedFolder}/init.sh`];
  if (!isRoot()) {
    // In the router's user namespace that user is root, whose capabilities bubblewrap would leave.
    const drop = isWrapped ? ["--cap-drop", "ALL"] : [];
    return { options: ["--unshare-user", "--uid", user, "--gid", user, ...drop], command: init };
  }
  const capabilities = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN"];
  const drop = `setpriv --reuid ${user} --regid ${user} --clear-groups --inh-caps=-all --bounding-set=-all`;
  const script = `chown ${user}:${user} ${ownFolders.join(" ")} && exec ${drop} ${init.join(" ")}`;
  return { options: capabilities.flatMap((name) => ["--cap-add", name]), command: ["/usr/bin/bash", "-c", script] };
}

/**
 * Arguments of bubblewrap for an instance: user 1000, own processes, host name and files. The host gives `/usr`
 * (read-only), and its network where the instance has no namespace of its own; nothing else of it can be seen.
 *
 * @param descriptors where bubblewrap tells the process id, and where it waits for the network
 */
export function bwrapArguments(spec: SandboxSpec, descriptors: { info: number; block: number }): string[] {
  // Those in memory, which start as root's.
  const ownFolders = ["/run", "/dev/shm", ...(spec.homeBytes === undefined ? [] : ["/home/ubuntu"])];
  const { options, command } = identity(ownFolders, spec.namespace !== undefined);
  const home = spec.homeBytes === undefined ? [] : ["--size", String(spec.homeBytes), "--tmpfs", "/home/ubuntu"];
  return [
    ...options,
    ...["--unshare-pid", "--as-pid-1", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup-try"],
    ...["--hostname", spec.hostname],
    ...["--die-with-parent", "--new-session", "--clearenv"],
    ...["--info-fd", String(descriptors.info)],
    ...(spec.namespace ? ["--unshare-net", "--block-fd", String(descriptors.block)] : []),
    ...["--bind", spec.root, "/", "--ro-bind", "/usr", "/usr", "--bind", spec.usrLocal, "/usr/local"],
    // A setuid sudo could not work in here, so the image's own hides it for those who call it by its full path.
    ...(isExecutable("/usr/bin/sudo") ? ["--ro-bind", `${spec.usrLocal}/bin/sudo`, "/usr/bin/sudo"] : []),
    ...["--ro-bind-try", "/var/lib/dpkg", "/var/lib/dpkg"],
    ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run", "--ro-bind", "/proc/sys", "/proc/sys"],
    ...home,
    ...spec.mounts.flatMap(({ folder, mountPoint }) => ["--bind", folder, mountPoint]),
    ...["--ro-bind", spec.seed, seedFolder, "--ro-bind", spec.overlay, overlayFolder],
    ...["--chdir", "/", ...command],
  ];
}
