import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { providerText } from "../../components/dynamic/resource";
import { readRunFile } from "../../emulator/run-file";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";
import { family, listeningAddresses, processes, watchProcesses } from "./processes";

/** The middle of a private key's text, in which no line ends: it is found however the lines around it are written. */
const keyBody = /BEGIN OPENSSH PRIVATE KEY-----\\+n[A-Za-z0-9+/=]+\\+n([A-Za-z0-9+/]{40})/g;

/** A key in the user's environment, for Lambda. The emulated cloud has its own. */
const usersKey = "secret_users_0123456789abcdef.0123456789abcdef";

/** What a workload may need to call some service. */
const token = "token-of-the-workload-0123456789";

/** Every file below a folder as text, except below the folders named. What is renamed meanwhile is met by its new name. */
function filesBelow(folder: string, except: readonly string[] = []): [path: string, text: string][] {
  return (ifThere(() => readdirSync(folder, { withFileTypes: true })) ?? []).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return except.includes(path) ? [] : filesBelow(path, except);
    const text = entry.isFile() ? ifThere(() => readFileSync(path, "latin1")) : undefined;
    return text === undefined ? [] : [[path, text] as [string, string]];
  });
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  }
}

describe("an up, seen from outside", { timeout: 120_000 }, () => {
  const project = new Project();
  const local = join(project.folder, ".local");
  const argv = new Set<string>();
  const environments = new Set<string>();
  /** Variables and arguments of everything that runs on instances. */
  const onInstances = new Set<string>();
  const listening = new Set<string>();
  let cloud: TestCloud;
  let emulator: number;
  let printed: string;
  let state: string;
  let keys: { login: string; host: string };

  beforeAll(async () => {
    const environment = { variables: { SERVICE_TOKEN: token } };
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, environment });
    emulator = readRunFile(local)?.pid ?? 0;
    const watch = watchProcesses((all) => {
      const machines = family(all, emulator);
      const ours = all.filter(({ pid, environment }) => machines.has(pid) || environment.includes(project.folder));
      for (const { pid, argv: words, environment } of all) {
        argv.add(words);
        environments.add(environment);
        if (machines.has(pid) && pid !== emulator) onInstances.add(words).add(environment);
      }
      for (const address of listeningAddresses(ours.map(({ pid }) => pid))) listening.add(address);
    });
    const { code, output } = await project.run("up", [], { LAMBDA_API_KEY: usersKey });
    watch.stop();
    expect(code, output).toBe(0);
    printed = output;
    state = project.stateText();
    const { output: clear } = await project.pulumi(["stack", "export", "--show-secrets"]);
    const { deployment } = JSON.parse(clear);
    const bodyOf = (name: string): string => {
      const pair = deployment.resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));
      const [found] = JSON.stringify(pair.outputs).matchAll(keyBody);
      return found?.[1] ?? expect.fail(`${name} has no private key`);
    };
    keys = { login: bodyOf("instance-login"), host: bodyOf("instance-host") };
    expect(keys.login).not.toBe(keys.host);
  }, 120_000);
  afterAll(() => project.dispose());

  const holding = (texts: Iterable<string>, secret: string): string[] =>
    [...texts].filter((text) => text.includes(secret)).map((text) => text.slice(0, 120));

  it("shows no secret in any process's arguments, here or on the instance", () => {
    // What was looked at: the CLI, the provider, and what runs on the instance.
    for (const word of ["up\0", "dynamic-provider", "train.py"]) expect(holding(argv, word), word).not.toEqual([]);
    expect(holding(onInstances, token)).not.toEqual([]);
    for (const secret of [cloud.apiKey, usersKey, keys.login, keys.host, token])
      expect(holding(argv, secret)).toEqual([]);
  });

  it("puts no secret into any process's environment; the user's own key stays in what the user started", () => {
    expect(holding(environments, usersKey)).not.toEqual([]);
    expect(holding(onInstances, usersKey)).toEqual([]);
    for (const secret of [cloud.apiKey, keys.login, keys.host]) expect(holding(environments, secret)).toEqual([]);
  });

  it("leaves private keys in no file here, and no key of ours but its host key on the instance", () => {
    const except = ["node_modules", ".local/cloud"].map((name) => join(project.folder, name));
    const here = filesBelow(project.folder, except);
    expect(here.map(([path]) => path)).toContain(join(local, "state/.pulumi/stacks/lambda-train/test.json"));
    const instances = filesBelow(join(local, "cloud", "instances"));
    expect(instances.some(([, text]) => text.includes(keys.host))).toBe(true);
    const places = (files: [string, string][], secret: string): string[] =>
      files.filter(([, text]) => text.includes(secret)).map(([path]) => path);
    for (const secret of [cloud.apiKey, usersKey, keys.login, keys.host]) expect(places(here, secret)).toEqual([]);
    for (const secret of [cloud.apiKey, usersKey, keys.login]) expect(places(instances, secret)).toEqual([]);
  });

  it("keeps nothing of Jupyter, in whose address Lambda puts a token", async () => {
    const { url, apiKey } = readRunFile(local) ?? expect.fail("The cloud does not run.");
    const answer = await fetch(`${url}/instances`, { headers: { authorization: `Bearer ${apiKey}` } });
    const { data } = (await answer.json()) as { data: { jupyter_token: string }[] };
    const notebook = data[0]?.jupyter_token ?? "";
    expect(notebook.length).toBeGreaterThan(10);
    for (const text of [state, printed, JSON.stringify(await project.outputs(true))]) {
      expect(text.includes(notebook)).toBe(false);
      expect(text).not.toContain("jupyter");
    }
  });

  it("has provider texts in the state that name a module, their resource and nothing else", async () => {
    const texts = (await project.resources()).flatMap(({ inputs }) => (inputs?.__provider as string) ?? []);
    expect(texts.length).toBeGreaterThan(8);
    for (const text of texts) {
      const names = /provider\("(components\/resources\/[a-z-]+-handler)", "(urn:pulumi:[\w:$/-]+)"\)/.exec(text);
      expect(text).toBe(providerText(names?.[1] ?? "", names?.[2]));
    }
  });

  it("listens on loopback addresses alone: API, admin surface, sshd, engine, providers", () => {
    const { url, adminUrl } = readRunFile(local) ?? expect.fail("The cloud does not run.");
    for (const address of [url, adminUrl]) expect([...listening]).toContain(new URL(address).host);
    expect(listening.size).toBeGreaterThan(5);
    expect([...listening].filter((address) => !/^(127\.|\[::1\]:)/.test(address))).toEqual([]);
  });

  it("a dashboard's tunnel listens on 127.0.0.1 alone", async () => {
    const { child, ended } = project.start(process.execPath, ["dist/cli/dashboard.js", "--workload"]);
    const port = await new Promise<string>((found, missing) => {
      child.stdout?.on("data", (chunk: Buffer) => {
        const match = /http:\/\/127\.0\.0\.1:(\d+)/.exec(chunk.toString());
        if (match?.[1]) found(match[1]);
      });
      child.on("close", () => missing(new Error("The dashboard ended.")));
    });
    expect(listeningAddresses(family(processes(), child.pid ?? 0))).toEqual([`127.0.0.1:${port}`]);
    child.kill("SIGINT");
    await ended;
  });

  it("keeps the emulated cloud's key, state and disks for this user alone", () => {
    const mode = (path: string): string => (statSync(join(local, path)).mode & 0o777).toString(8);
    expect(mode("cloud")).toBe("700");
    for (const name of readdirSync(join(local, "cloud"))) {
      if (statSync(join(local, "cloud", name)).isFile()) expect(mode(`cloud/${name}`), name).toBe("600");
    }
    expect(existsSync(join(local, "cloud", "cloud.json"))).toBe(true);
  });
});
