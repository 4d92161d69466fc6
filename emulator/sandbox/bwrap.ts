import { accessSync, constants } from "node:fs";
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
}

const programs = {
  bwrap: { paths: ["/usr/bin/bwrap", "/usr/local/bin/bwrap"], package: "bubblewrap" },
  sshd: { paths: ["/usr/sbin/sshd"], package: "openssh-server" },
  "ssh-keygen": { paths: ["/usr/bin/ssh-keygen"], package: "openssh-client" },
  bash: { paths: ["/usr/bin/bash"], package: "bash" },
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
  return found.find(([name]) => name === "bwrap")?.[1] as string;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Arguments of bubblewrap for an instance. User 1000 in a namespace of its own, whoever starts it; own processes, host
 * name and files. The host gives `/usr` (read-only) and its network; nothing else of it can be seen.
 */
export function bwrapArguments(spec: SandboxSpec, infoFd: number): string[] {
  const home = spec.homeBytes === undefined ? [] : ["--size", String(spec.homeBytes), "--tmpfs", "/home/ubuntu"];
  return [
    ...["--unshare-user", "--uid", "1000", "--gid", "1000"],
    ...["--unshare-pid", "--as-pid-1", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup-try"],
    ...["--hostname", spec.hostname],
    ...["--die-with-parent", "--new-session", "--clearenv"],
    ...["--info-fd", String(infoFd)],
    ...["--bind", spec.root, "/", "--ro-bind", "/usr", "/usr", "--bind", spec.usrLocal, "/usr/local"],
    // A setuid sudo could not work in here, so the image's own hides it for those who call it by its full path.
    ...(isExecutable("/usr/bin/sudo") ? ["--ro-bind", `${spec.usrLocal}/bin/sudo`, "/usr/bin/sudo"] : []),
    ...["--ro-bind-try", "/var/lib/dpkg", "/var/lib/dpkg"],
    ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"],
    ...home,
    ...spec.mounts.flatMap(({ folder, mountPoint }) => ["--bind", folder, mountPoint]),
    ...["--ro-bind", spec.seed, seedFolder, "--ro-bind", spec.overlay, overlayFolder],
    ...["--chdir", "/", "/usr/bin/bash", `${seedFolder}/init.sh`],
  ];
}
