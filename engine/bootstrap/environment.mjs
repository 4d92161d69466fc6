import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import {
  cacheFolder,
  hasProject,
  isInstalled,
  localFolder,
  project,
  pulumiHome,
  readJson,
  root,
  writeWhole,
} from "./paths.mjs";

/** The stack of the embedded default. */
export const embeddedStack = "dev";

/** Passphrase of the local backend, made once. It encrypts the secrets in the state. */
export const passphraseFile = join(localFolder, "passphrase");

/** The stack that a command's arguments, or $PULUMI_STACK, name; else the only one that a project has a file of, else `dev`. */
export function stackOf(args) {
  return optionOf(["--stack", "-s"], args) ?? (process.env.PULUMI_STACK || defaultStack());
}

/** The file that a command's arguments, or Pulumi's own variable for that option, name for a stack's. */
export function configFileOf(args) {
  return optionOf(["--config-file"], args) ?? process.env.PULUMI_OPTION_CONFIG_FILE;
}

function optionOf([name, short], args) {
  for (const [i, word] of args.entries()) {
    if (word === "--") break;
    if ((word === name || word === short) && args[i + 1]) return args[i + 1];
    if (word.startsWith(`${name}=`)) return word.slice(name.length + 1);
  }
  return undefined;
}

/**
 * The stack where none is named or selected: of a project of the user's own the one that has a file, if it is the only one.
 * In a clone that is `dev`, whatever is beside it.
 */
function defaultStack() {
  if (!isInstalled || !hasProject) return embeddedStack;
  const stacks = readdirSync(project).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []);
  return stacks.length === 1 ? stacks[0] : embeddedStack;
}

/**
 * Path of a stack's file, or of the one that is named for it. local/stack-file.ts says the same to the program and the
 * commands: what runs before there are npm packages and a build can't import it, and it reads no YAML.
 */
export function stackFile(stack, named = configFileOf([])) {
  return resolve(project, named || `Pulumi.${stack.split("/").pop()}.yaml`);
}

/** Tells whether the stack's file asks for the emulated cloud. */
export function isEmulated(stack, named) {
  const path = stackFile(stack, named);
  return existsSync(path) && /^\s+(["']?)[\w-]+:endpoint\1:\s*["']?emulated\b/m.test(readFileSync(path, "utf8"));
}

/**
 * Decides where the state is kept and whose PULUMI_HOME is used. A backend or token that the user names always wins,
 * and so does a login of their own for any stack but the embedded one. The user's own PULUMI_HOME is used where they
 * name it, or where their own CLI works with their account.
 */
export function backendOf(pulumi, stack) {
  const { PULUMI_HOME, PULUMI_BACKEND_URL, PULUMI_ACCESS_TOKEN } = process.env;
  const loggedIn = Boolean(readJson(join(homedir(), ".pulumi", "credentials.json"))?.current);
  const ownLogin = !PULUMI_BACKEND_URL && loggedIn && (isInstalled || stack !== embeddedStack);
  const account = Boolean(PULUMI_ACCESS_TOKEN) || ownLogin || /^https?:/.test(PULUMI_BACKEND_URL ?? "");
  const ownHome = Boolean(PULUMI_HOME) || (pulumi?.source === "path" && account);
  const home = PULUMI_HOME || (ownHome ? join(homedir(), ".pulumi") : pulumiHome);
  return { local: !account && !PULUMI_BACKEND_URL, ownHome, ownLogin, home };
}

/**
 * Hosts that no proxy is for, this machine among them: gRPC's library for Node would send what goes to the engine to a
 * proxy that the environment names, and an `up` would wait without end.
 */
function withoutProxy({ no_grpc_proxy, no_proxy, NO_PROXY }) {
  const named = (no_grpc_proxy || no_proxy || NO_PROXY || "").split(",").filter((host) => host !== "");
  return [...new Set([...named, "127.0.0.1", "localhost", "::1"])].join(",");
}

/**
 * The environment of every command and of the CLI that it starts. Creates the local backend's folder and passphrase
 * where they are used and missing.
 * @param options `node` and `pulumi` as `readyNode` and `readyPulumi` give them (pulumi may be undefined);
 * `compat`: plugins of this project are in use
 */
export function engineEnvironment({ node, pulumi, backend, compat }) {
  const folders = [...(pulumi && pulumi.source !== "path" ? [pulumi.bin] : []), node.bin];
  const env = {
    ...process.env,
    PATH: [...folders, process.env.PATH || "/usr/bin:/bin"].join(delimiter),
    LAMBDA_TRAIN_ROOT: root,
    LAMBDA_TRAIN_DEFAULT_STACK: defaultStack(),
    PULUMI_SKIP_UPDATE_CHECK: process.env.PULUMI_SKIP_UPDATE_CHECK ?? "1",
    // The default is four a core. An operation mostly waits, for a boot or for the instance, and a launch that waits for
    // one of these would be late.
    PULUMI_PARALLEL: process.env.PULUMI_PARALLEL ?? "256",
    // An update starts half a dozen Node processes that load the same modules: some 40 % of that time is compiling them.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cacheFolder, "compiled"),
    no_grpc_proxy: withoutProxy(process.env),
  };
  if (backend.home !== join(homedir(), ".pulumi")) env.PULUMI_HOME = backend.home;
  // If our home holds the plugins but the user's login is wanted, the CLI needs the place of that login.
  if (backend.ownLogin && !backend.ownHome) env.PULUMI_CREDENTIALS_PATH ??= join(homedir(), ".pulumi");
  if (compat) env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ??= "true";
  if (backend.local && hasProject) {
    const state = join(localFolder, "state");
    mkdirSync(state, { recursive: true, mode: 0o700 });
    env.PULUMI_BACKEND_URL = `file://${state}`;
    if (env.PULUMI_CONFIG_PASSPHRASE === undefined && env.PULUMI_CONFIG_PASSPHRASE_FILE === undefined) {
      if (!existsSync(passphraseFile)) writeWhole(passphraseFile, `${randomBytes(32).toString("base64url")}\n`, 0o600);
      env.PULUMI_CONFIG_PASSPHRASE_FILE = passphraseFile;
    }
  }
  return env;
}
