import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { cacheFolder, findProgram } from "./paths.mjs";
import { logPath, quietly } from "./run.mjs";

const sbin = (name) => existsSync(`/usr/sbin/${name}`) || findProgram(name) !== undefined;
const program = (name) => () => sbin(name);
// Debian's place for Python modules is looked at first: asking Python costs more than all the rest.
const python = (name) => async () =>
  existsSync(`/usr/lib/python3/dist-packages/${name}`) ||
  (
    await quietly("/usr/bin/python3", [
      "-c",
      `import importlib.util as u, sys; sys.exit(u.find_spec("${name}") is None)`,
    ])
  ).code === 0;

/** What the emulated cloud and the reference workload on it need of the operating system: Debian package → check. */
export const systemPackages = {
  bubblewrap: program("bwrap"),
  // Networks of the instances: their cables, their firewall and the way out.
  iproute2: program("ip"),
  nftables: program("nft"),
  slirp4netns: program("slirp4netns"),
  "openssh-server": program("sshd"),
  "openssh-client": program("ssh-keygen"),
  tmux: program("tmux"),
  git: program("git"),
  make: program("make"),
  curl: program("curl"),
  procps: program("pgrep"),
  python3: () => existsSync("/usr/bin/python3"),
  "python3-torch": python("torch"),
  "python3-numpy": python("numpy"),
  "python3-yaml": python("yaml"),
};

/** What the tests need besides. */
export const testPackages = {
  ...systemPackages,
  shellcheck: program("shellcheck"),
  // Any Chromium draws the dashboard's tests; this one is the smallest.
  "chromium-headless-shell": () => ["chromium-headless-shell", "chromium"].some(sbin),
};

/** What the benchmarks compare with. */
export const benchPackages = { ...systemPackages, rsync: program("rsync") };

/** Names of the packages that are missing here. */
export async function missingPackages(packages = systemPackages) {
  const checks = await Promise.all(Object.entries(packages).map(async ([name, check]) => [name, await check()]));
  return checks.filter(([, present]) => !present).map(([name]) => name);
}

/** The command that installs packages, as the user would type it. */
export function installCommand(packages) {
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  return `${sudo}apt-get install --no-install-recommends ${packages.join(" ")}`;
}

/** Installs what is needed, where this process may; says what to install where it may not. */
export async function readySystem(packages = systemPackages) {
  if (process.platform !== "linux")
    throw new Failure(
      "The emulated cloud needs Linux. On this system run the project in a Linux container, or work on a real account.",
    );
  if ((await missingPackages(packages)).length === 0) return;
  await locked(join(cacheFolder, "locks", "apt"), "installing system packages", async () => {
    const missing = await missingPackages(packages);
    if (missing.length === 0) return;
    const apt = findProgram("apt-get");
    const may = apt !== undefined && process.getuid?.() === 0;
    if (!may)
      throw new Failure(
        `The emulated cloud needs ${missing.join(", ")}. Install ${missing.length > 1 ? "them" : "it"} with:\n  ${installCommand(missing)}`,
      );
    await install(apt, missing);
    const left = await missingPackages(packages);
    if (left.length > 0)
      throw new Failure(`Still missing after the installation: ${left.join(", ")} (log: ${logPath("apt")})`);
  });
}

async function install(apt, packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  say("System packages: apt-get update …");
  // A broken extra source fails the update while the packages at hand can still be installed.
  await quietly(apt, ["update"], { env, log: "apt" });
  say(`System packages: ${installCommand(packages)} …`);
  const started = Date.now();
  const { code, output } = await withoutServices(() =>
    quietly(apt, ["install", "-y", "--no-install-recommends", ...packages], { env, log: "apt" }),
  );
  if (code !== 0)
    throw new Failure(
      `apt-get couldn't install them (log: ${logPath("apt")}):\n${output.trim().split("\n").slice(-8).join("\n")}`,
    );
  say(`System packages: done in ${Math.round((Date.now() - started) / 1000)} s`);
  // Only the program sshd is wanted: this machine must not begin to accept logins at its next start.
  if (packages.includes("openssh-server") && existsSync("/run/systemd/system"))
    await quietly("systemctl", ["disable", "ssh.service", "ssh.socket"], { log: "apt" });
}

/** Does `work` while Debian's policy forbids packages to start services, and takes the policy away again. */
async function withoutServices(work) {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  const remove = () => rmSync(policy, { force: true });
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  process.once("exit", remove);
  try {
    return await work();
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}
