import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as shims from "./shims";

/** What the disk of a new instance differs in from that of another. */
export interface RootfsOptions {
  readonly hostname: string;
  /** Family of the image, written to `/etc/lambda-image`. */
  readonly imageFamily: string;
  /** Private address, for `/etc/hosts`. */
  readonly privateIp: string;
  readonly sshdConfig: string;
  /** Absolute paths in the instance. Made here, since bubblewrap would make their parents for root alone. */
  readonly mountPoints: readonly string[];
}

/**
 * Parts of the host's `/etc` that an image would have: what `/usr` needs to work. Nothing that names the host, its
 * users, its keys or its package sources.
 */
const fromHost = [
  "alternatives",
  "bash.bashrc",
  "ca-certificates.conf",
  "debian_version",
  "fonts",
  "gai.conf",
  "host.conf",
  "inputrc",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "locale.alias",
  "localtime",
  "login.defs",
  "magic",
  "mime.types",
  "os-release",
  "perl",
  "protocols",
  "python3",
  "python3.10",
  "python3.11",
  "python3.12",
  "python3.13",
  "resolv.conf",
  "services",
  "ssl/certs",
  "ssl/openssl.cnf",
  "terminfo",
  "timezone",
];

/** Links that merge `/bin` and the like into `/usr`. */
const links = { bin: "usr/bin", sbin: "usr/sbin", lib: "usr/lib", lib64: "usr/lib64" };

const rootFolders = [
  "dev etc/ssh etc/cloud/cloud.cfg.d etc/profile.d home/ubuntu lambda/nfs media mnt opt proc root run srv sys tmp usr",
  "var/backups var/cache var/lib/cloud/instance var/lib/dpkg var/log var/mail var/spool var/tmp",
].flatMap((line) => line.split(" "));
const localFolders = ["bin", "etc", "include", "lib", "sbin", "share", "src"];

/**
 * Makes the disk of an instance.
 *
 * @param root folder that is mounted as `/`: all of it is the instance's own, but for `/usr`, which is the host's
 * @param usrLocal folder that is mounted as `/usr/local`
 */
export async function makeRootfs(root: string, usrLocal: string, options: RootfsOptions): Promise<void> {
  const make = (folder: string) => fs.mkdir(folder, { recursive: true, mode: 0o755 });
  for (const folder of [...rootFolders, ...options.mountPoints]) await make(path.join(root, folder));
  for (const folder of localFolders) await make(path.join(usrLocal, folder));
  for (const folder of ["tmp", "var/tmp"]) await fs.chmod(path.join(root, folder), 0o1777);
  for (const [name, target] of Object.entries(links)) await fs.symlink(target, path.join(root, name));
  await fs.symlink("/run", path.join(root, "var/run"));
  await fs.symlink("/run/lock", path.join(root, "var/lock"));
  await Promise.all(fromHost.map((name) => copyFromHost(name, path.join(root, "etc", name))));
  await writeFiles(root, ownFiles(options));
  await writeFiles(usrLocal, { "bin/sudo": shims.sudo, "bin/cloud-init": shims.cloudInit });
}

async function copyFromHost(name: string, target: string): Promise<void> {
  const source = path.join("/etc", name);
  try {
    // resolv.conf is often a link into /run, which the instance has not: copy what it points at.
    if (name === "resolv.conf") await fs.copyFile(source, target);
    else await fs.cp(source, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  } catch (error) {
    // A host without the file has no use for it either.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Writes files below a folder: path → content. Those in a `bin` or `sbin` can be executed. */
export async function writeFiles(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.rm(file, { force: true });
    await fs.writeFile(file, content, { mode: /(^|\/)s?bin\//.test(name) ? 0o755 : 0o644 });
  }
}

function ownFiles(options: RootfsOptions): Record<string, string> {
  const { hostname, privateIp } = options;
  return {
    "etc/hostname": `${hostname}\n`,
    "etc/hosts": `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n${privateIp} ${hostname}\n::1 localhost ip6-localhost\n`,
    "etc/lambda-image": `${options.imageFamily}\n`,
    "etc/machine-id": `${randomBytes(16).toString("hex")}\n`,
    "etc/passwd": passwd,
    "etc/group": group,
    "etc/shells": "/bin/sh\n/bin/bash\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
    "etc/environment": `PATH="${shims.standardPath}"\n`,
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/profile": profile,
    "etc/ssh/sshd_config": options.sshdConfig,
    "etc/skel/.profile": 'if [ -n "$BASH_VERSION" ] && [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n',
    "etc/skel/.bashrc": bashrc,
  };
}

const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sshd:x:105:65534::/run/sshd:/usr/sbin/nologin
ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash
`;

// No group tty: an sshd without privileges could not give a terminal to it, and so would give none at all.
const group = `root:x:0:
daemon:x:1:
adm:x:4:ubuntu
sudo:x:27:ubuntu
users:x:100:
nogroup:x:65534:
ubuntu:x:1000:
`;

const profile = `if [ -n "$BASH_VERSION" ] && [ "$PS1" ] && [ -f /etc/bash.bashrc ]; then . /etc/bash.bashrc; fi
for script in /etc/profile.d/*.sh; do [ -r "$script" ] && . "$script"; done
unset script
`;

// Like Ubuntu's: nothing below the first line runs in a session without a terminal.
const bashrc = `case $- in *i*) ;; *) return ;; esac
HISTCONTROL=ignoreboth
PS1='\\u@\\h:\\w\\$ '
alias ls='ls --color=auto'
alias ll='ls -alF'
`;
