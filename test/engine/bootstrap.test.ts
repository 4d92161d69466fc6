import { execFile, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "./support/plugin";

const bootstrap = join(root, "engine", "bootstrap.mjs");

let folder: string;
/** A machine of its own: home, cache and local folder are empty, and PATH has what a test puts there. */
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lambda-train-bootstrap-"));
  for (const name of ["home", "bin"]) mkdirSync(join(folder, name));
  env = {
    HOME: join(folder, "home"),
    LAMBDA_TRAIN_CACHE: join(folder, "cache"),
    LAMBDA_TRAIN_LOCAL: join(folder, "local"),
    PATH: [join(folder, "bin"), "/usr/bin", "/bin"].join(delimiter),
  };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function node(args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: folder, env: { ...env, ...more }, timeout: 60_000 }, (error, out, err) =>
      done({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err }),
    );
  });
}

/** What one of the bootstrap's modules makes of an expression over its exports (`m`). */
async function evaluate(module: string, expression: string, more: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const url = pathToFileURL(join(root, "engine", "bootstrap", `${module}.mjs`)).href;
  const code = `const m = await import(${JSON.stringify(url)}); console.log(JSON.stringify(await (${expression}) ?? null));`;
  const { out, err } = await node(["--input-type=module", "-e", code], more);
  if (out === "") throw new Error(err);
  return JSON.parse(out);
}

/** Puts a program on this test's PATH. */
function program(name: string, text: string, bin = "bin"): string {
  mkdirSync(join(folder, bin), { recursive: true });
  const path = join(folder, bin, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("choosing the engine", () => {
  const look = "m.readyPulumi({ prepare: false })";

  it("takes the CLI on PATH where it is new enough and has its language host, and asks its version once", async () => {
    const path = program("pulumi", `echo asked >> ${folder}/asked; echo v3.300.1`);
    expect(await evaluate("pulumi", look)).toBeNull();
    const host = program("pulumi-language-nodejs", "");
    const found = { source: "path", version: "v3.300.1", bin: join(folder, "bin"), path, host };
    expect(await evaluate("pulumi", look)).toEqual(found);
    expect(await evaluate("pulumi", look)).toEqual(found);
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe("asked\n");
  });

  it.each(["v3.199.9", "v2.400.0", "no version at all"])("passes over a CLI that says %s", async (version) => {
    program("pulumi", `echo ${version}`);
    program("pulumi-language-nodejs", "");
    expect(await evaluate("pulumi", look)).toBeNull();
  });

  it("asks again when another CLI takes the place of the one it knew", async () => {
    program("pulumi-language-nodejs", "");
    program("pulumi", "echo v3.300.1");
    await evaluate("pulumi", look);
    program("pulumi", "echo v3.301.22");
    expect(await evaluate("pulumi", look)).toMatchObject({ version: "v3.301.22" });
  });

  it("compares versions as numbers", async () => {
    const cases = [
      "22.19.0 22.19.0",
      "v22.9.0 22.19.0",
      "23.0.0 22.19.0",
      "3.200.0-alpha.1 3.200.0",
      "20.20.2 22.19.0",
    ];
    const expression = `${JSON.stringify(cases)}.map((pair) => m.atLeast(...pair.split(" ")))`;
    expect(await evaluate("paths", expression)).toEqual([true, false, true, true, false]);
  });
});

describe("where the state is kept", () => {
  const backend = (source: string, stack: string) => `m.backendOf({ source: "${source}" }, "${stack}")`;
  const logIn = (): void => {
    mkdirSync(join(folder, "home", ".pulumi"));
    writeFileSync(join(folder, "home", ".pulumi", "credentials.json"), '{"current":"https://api.example.org"}');
  };

  it("is this checkout's own folder, with a PULUMI_HOME of the project's, where nothing else is said", async () => {
    const home = join(folder, "cache", "pulumi-home");
    const expected = { local: true, ownHome: false, ownLogin: false, home };
    expect(await evaluate("environment", backend("go", "dev"))).toEqual(expected);
    expect(await evaluate("environment", backend("path", "other"))).toEqual(expected);
    logIn();
    expect(await evaluate("environment", backend("path", "dev"))).toEqual(expected);
  });

  it("is where the user is logged in, for a stack of their own", async () => {
    logIn();
    const home = join(folder, "home", ".pulumi");
    expect(await evaluate("environment", backend("path", "prod"))).toMatchObject({ local: false, ownHome: true, home });
    expect(await evaluate("environment", backend("go", "prod"))).toMatchObject({ local: false, ownHome: false });
  });

  it("is where the user's environment says, for any stack", async () => {
    for (const [name, value] of [
      ["PULUMI_ACCESS_TOKEN", "pul-token"],
      ["PULUMI_BACKEND_URL", "s3://bucket"],
      ["PULUMI_BACKEND_URL", "https://api.example.org"],
    ] as const)
      expect(await evaluate("environment", backend("path", "dev"), { [name]: value })).toMatchObject({ local: false });
  });
});

describe("the environment of the commands", () => {
  const options = `{ node: { bin: "/node/bin" }, pulumi: { source: "go", bin: "/engine/bin" }, compat: true, backend: m.backendOf(undefined, "dev") }`;

  it("has the engine and Node.js first on PATH, a local backend and a passphrase that is made once", async () => {
    const first = (await evaluate("environment", `m.engineEnvironment(${options})`)) as NodeJS.ProcessEnv;
    expect(first.PATH?.split(delimiter).slice(0, 2)).toEqual(["/engine/bin", "/node/bin"]);
    expect(first).toMatchObject({
      LAMBDA_TRAIN_ROOT: root,
      PULUMI_BACKEND_URL: `file://${join(folder, "local", "state")}`,
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_HOME: join(folder, "cache", "pulumi-home"),
      PULUMI_SKIP_UPDATE_CHECK: "1",
    });
    const file = first.PULUMI_CONFIG_PASSPHRASE_FILE as string;
    const passphrase = readFileSync(file, "utf8");
    expect(passphrase.trim()).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await evaluate("environment", `m.engineEnvironment(${options})`);
    expect(readFileSync(file, "utf8")).toBe(passphrase);
  });

  it("leaves a user's own backend and passphrase alone", async () => {
    const own = { PULUMI_BACKEND_URL: "file:///elsewhere", PULUMI_CONFIG_PASSPHRASE: "" };
    const made = await evaluate("environment", `m.engineEnvironment(${options})`, own);
    expect(made).toMatchObject(own);
    expect(made).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE_FILE");
  });

  it("reads the stack's name from the arguments, else from PULUMI_STACK", async () => {
    const names = async (more: NodeJS.ProcessEnv) =>
      evaluate("environment", `[["-s", "a"], ["up", "--stack=b"], ["--", "--stack", "c"], []].map(m.stackOf)`, more);
    expect(await names({})).toEqual(["a", "b", "dev", "dev"]);
    expect(await names({ PULUMI_STACK: "e" })).toEqual(["a", "b", "e", "e"]);
  });
});

describe("the salt in the stack's file", () => {
  const text = "encryptionsalt: v1:abc=:v1:def:ghi==\nconfig:\n  lambda-train:endpoint: emulated\n";

  it("goes again, unless encrypted values need it", async () => {
    const without = (value: string) => evaluate("salt", `m.withoutSalt(${JSON.stringify(value)})`);
    expect(await without(text)).toBe("config:\n  lambda-train:endpoint: emulated\n");
    const secured = `${text}  lambda-train:key:\n    secure: v1:xyz\n`;
    expect(await without(secured)).toBe(secured);
  });
});

describe("locks", () => {
  const held = (lock: string, body: string) => `m.locked(${JSON.stringify(lock)}, "working", async () => { ${body} })`;

  it("let one process in at a time", async () => {
    const lock = join(folder, "locks", "one");
    const log = join(folder, "log");
    const body = `const { appendFileSync: add } = await import("node:fs"); add(${JSON.stringify(log)}, "in\\n"); await new Promise((r) => setTimeout(r, 150)); add(${JSON.stringify(log)}, "out\\n");`;
    await Promise.all([1, 2, 3].map(() => evaluate("lock", held(lock, body))));
    expect(readFileSync(log, "utf8")).toBe("in\nout\n".repeat(3));
  });

  it("are taken over from a process that was killed", async () => {
    const lock = join(folder, "locks", "one");
    const url = pathToFileURL(join(root, "engine", "bootstrap", "lock.mjs")).href;
    const code = `const m = await import(${JSON.stringify(url)}); await ${held(lock, 'console.log("in"); await new Promise((r) => setTimeout(r, 60000));')}`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((done) => child.stdout.once("data", done));
    const dead = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await dead;
    expect(await evaluate("lock", held(lock, "return 7;"))).toBe(7);
  });
});

describe("what a command needs", () => {
  const needs = (command: string, ...args: string[]) =>
    evaluate("commands", `m.needsOf(${JSON.stringify(command)}, ${JSON.stringify(args)})`);

  it("is the emulated cloud only where something is rented on it", async () => {
    expect(await needs("up")).toEqual({ pulumi: true, cloud: true });
    expect(await needs("up", "--stack", "no-such-stack")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("up", "--preview-only")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("pulumi", "preview")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("status")).toEqual({ pulumi: true, cloud: false });
  });

  it("is nothing for help, except for the CLI's own", async () => {
    expect(await needs("up", "--help")).toEqual({ pulumi: false, cloud: false });
    expect(await needs("pulumi", "up", "--help")).toEqual({ pulumi: true, cloud: false });
  });
});

describe("the command", () => {
  it("lists the commands, and fails for an unknown one", async () => {
    const { code, err } = await node([bootstrap, "no-such-command"]);
    expect(code).toBe(2);
    expect(err).toMatch(/Unknown command no-such-command/);
    expect(err).toMatch(/npm run doctor/);
    expect((await node([bootstrap, "--help"])).code).toBe(0);
  });

  it("tells the parts without making anything ready, and how to get what is missing", async () => {
    const { out } = await node([bootstrap, "parts"]);
    const parts = JSON.parse(out) as { name: string; state: string; remedy?: string }[];
    expect(parts.find(({ name }) => name === "Pulumi CLI and engine")).toMatchObject({
      state: "missing",
      remedy: "node engine/bootstrap.mjs setup",
    });
    expect(parts.find(({ name }) => name === "Node.js")).toMatchObject({ state: "ok", version: process.version });
    expect(() => statSync(join(folder, "cache"))).toThrow("ENOENT");
  });
});
