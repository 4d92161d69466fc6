import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stackFile } from "../../local/stack-file";
import { importOf, Machine } from "./support/machine";
import { root } from "./support/plugin";

const bootstrap = join(root, "engine", "bootstrap.mjs");

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.dispose());

describe("where the state is kept", () => {
  const backend = (source: string, stack: string) => `m.backendOf({ source: "${source}" }, "${stack}")`;
  const logIn = (): void => {
    mkdirSync(machine.path("home", ".pulumi"));
    writeFileSync(machine.path("home", ".pulumi", "credentials.json"), '{"current":"https://api.example.org"}');
  };

  it("is this checkout's own folder, with a PULUMI_HOME of the project's, where nothing else is said", async () => {
    const home = machine.path("cache", "pulumi-home");
    const expected = { local: true, ownHome: false, ownLogin: false, home };
    expect(await machine.evaluate("environment", backend("go", "dev"))).toEqual(expected);
    expect(await machine.evaluate("environment", backend("path", "other"))).toEqual(expected);
    logIn();
    expect(await machine.evaluate("environment", backend("path", "dev"))).toEqual(expected);
  });

  it("is where the user is logged in, for a stack of their own", async () => {
    logIn();
    const home = machine.path("home", ".pulumi");
    expect(await machine.evaluate("environment", backend("path", "prod"))).toMatchObject({
      local: false,
      ownHome: true,
      home,
    });
    expect(await machine.evaluate("environment", backend("go", "prod"))).toMatchObject({
      local: false,
      ownHome: false,
    });
  });

  it("is where the user's environment says, for any stack", async () => {
    for (const [name, value] of [
      ["PULUMI_ACCESS_TOKEN", "pul-token"],
      ["PULUMI_BACKEND_URL", "s3://bucket"],
      ["PULUMI_BACKEND_URL", "https://api.example.org"],
    ] as const)
      expect(await machine.evaluate("environment", backend("path", "dev"), { [name]: value })).toMatchObject({
        local: false,
      });
  });
});

it("pipes of language hosts that were killed go, those of living ones and young ones stay", async () => {
  const pipes = (name: string, minutes: number): string => {
    const folder = machine.path("tmp", `pulumi-node-pipes${name}`);
    mkdirSync(folder, { recursive: true });
    execFileSync("mkfifo", [join(folder, "invoke_req")]);
    const time = new Date(Date.now() - minutes * 60_000);
    utimesSync(folder, time, time);
    return folder;
  };
  const [dead, young, living] = [pipes("1", 11), pipes("2", 9), pipes("3", 60)];
  const reader = openSync(join(living, "invoke_req"), constants.O_RDONLY | constants.O_NONBLOCK);
  await machine.evaluate("pipes", "m.removeDeadPipes()", { TMPDIR: machine.path("tmp") });
  expect([dead, young, living].map((folder) => existsSync(folder))).toEqual([false, true, true]);
  closeSync(reader);
});

describe("the environment of the commands", () => {
  const options = `{ node: { bin: "/node/bin" }, pulumi: { source: "go", bin: "/engine/bin" }, compat: true, backend: m.backendOf(undefined, "dev") }`;

  it("has the engine and Node.js first on PATH, a local backend and a passphrase that is made once", async () => {
    const first = (await machine.evaluate("environment", `m.engineEnvironment(${options})`)) as NodeJS.ProcessEnv;
    expect(first.PATH?.split(delimiter).slice(0, 2)).toEqual(["/engine/bin", "/node/bin"]);
    expect(first).toMatchObject({
      LAMBDA_TRAIN_ROOT: root,
      PULUMI_BACKEND_URL: `file://${machine.path("local", "state")}`,
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_HOME: machine.path("cache", "pulumi-home"),
      PULUMI_PARALLEL: "256",
      PULUMI_SKIP_UPDATE_CHECK: "1",
    });
    const file = first.PULUMI_CONFIG_PASSPHRASE_FILE as string;
    const passphrase = readFileSync(file, "utf8");
    expect(passphrase.trim()).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await machine.evaluate("environment", `m.engineEnvironment(${options})`);
    expect(readFileSync(file, "utf8")).toBe(passphrase);
  });

  it("leaves a user's own backend, passphrase and parallelism alone", async () => {
    const own = { PULUMI_BACKEND_URL: "file:///elsewhere", PULUMI_CONFIG_PASSPHRASE: "", PULUMI_PARALLEL: "4" };
    const made = await machine.evaluate("environment", `m.engineEnvironment(${options})`, own);
    expect(made).toMatchObject(own);
    expect(made).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE_FILE");
  });

  it("keeps what goes to the engine from a proxy, beside the hosts that the user names", async () => {
    const hosts = async (env: NodeJS.ProcessEnv): Promise<unknown> =>
      ((await machine.evaluate("environment", `m.engineEnvironment(${options})`, env)) as NodeJS.ProcessEnv)
        .no_grpc_proxy;
    const none = { no_grpc_proxy: "", no_proxy: "", NO_PROXY: "" };
    expect(await hosts(none)).toBe("127.0.0.1,localhost,::1");
    expect(await hosts({ ...none, NO_PROXY: "example.org,,127.0.0.1" })).toBe("example.org,127.0.0.1,localhost,::1");
    expect(await hosts({ ...none, no_proxy: "a.example", NO_PROXY: "b.example" })).toMatch(/^a\.example,127/);
  });

  it("reads the stack's name from the arguments, else from PULUMI_STACK", async () => {
    const names = async (more: NodeJS.ProcessEnv) =>
      machine.evaluate(
        "environment",
        `[["-s", "a"], ["up", "--stack=b"], ["--", "--stack", "c"], []].map(m.stackOf)`,
        more,
      );
    expect(await names({})).toEqual(["a", "b", "dev", "dev"]);
    expect(await names({ PULUMI_STACK: "e" })).toEqual(["a", "b", "e", "e"]);
  });

  it("finds a stack's file where the program and the commands find it", async () => {
    const stacks = ["dev", "mine/lambda-train/dev", "a.b"];
    const variables = ["", "other.yaml", "../above.yaml", "/elsewhere/x.yaml"];
    for (const named of variables) {
      const files = `${JSON.stringify(stacks)}.map((each) => m.stackFile(each))`;
      const found = await machine.evaluate("environment", files, { PULUMI_OPTION_CONFIG_FILE: named });
      expect(found).toEqual(stacks.map((each) => stackFile(each, named)));
    }
  });
});

describe("the salt in the stack's file", () => {
  const text = "encryptionsalt: v1:abc=:v1:def:ghi==\nconfig:\n  lambda-train:endpoint: emulated\n";

  it("goes again, unless encrypted values need it", async () => {
    const without = (value: string) => machine.evaluate("salt", `m.withoutSalt(${JSON.stringify(value)})`);
    expect(await without(text)).toBe("config:\n  lambda-train:endpoint: emulated\n");
    const secured = `${text}  lambda-train:key:\n    secure: v1:xyz\n`;
    expect(await without(secured)).toBe(secured);
  });
});

describe("locks", () => {
  const held = (lock: string, body: string) => `m.locked(${JSON.stringify(lock)}, "working", async () => { ${body} })`;

  it("let one process in at a time", async () => {
    const lock = machine.path("locks", "one");
    const log = machine.path("log");
    const body = `const { appendFileSync: add } = await import("node:fs"); add(${JSON.stringify(log)}, "in\\n"); await new Promise((r) => setTimeout(r, 150)); add(${JSON.stringify(log)}, "out\\n");`;
    await Promise.all([1, 2, 3].map(() => machine.evaluate("lock", held(lock, body))));
    expect(readFileSync(log, "utf8")).toBe("in\nout\n".repeat(3));
  });

  it("are taken over from a process that was killed", async () => {
    const lock = machine.path("locks", "one");
    const code = `${importOf("lock")} await ${held(lock, 'console.log("in"); await new Promise((r) => setTimeout(r, 60000));')}`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      env: machine.env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((done) => child.stdout.once("data", done));
    const dead = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await dead;
    expect(await machine.evaluate("lock", held(lock, "return 7;"))).toBe(7);
  });
});

describe("what a command needs", () => {
  const needs = (command: string, ...args: string[]) =>
    machine.evaluate("commands", `m.needsOf(${JSON.stringify(command)}, ${JSON.stringify(args)})`);

  it("is the emulated cloud only where something is rented on it", async () => {
    expect(await needs("up")).toEqual({ pulumi: true, cloud: true });
    expect(await needs("up", "--stack", "no-such-stack")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("up", "--preview-only")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("pulumi", "preview")).toEqual({ pulumi: true, cloud: false });
    expect(await needs("status")).toEqual({ pulumi: true, cloud: false });
  });

  it("is told by its own words, not by those of a command for the instance", async () => {
    const own = (...args: string[]) => machine.evaluate("commands", `m.ownWords("exec", ${JSON.stringify(args)})`);
    expect(await own("-s", "a", "--home", "python", "--help", "--stack", "b")).toEqual(["-s", "a", "--home"]);
    expect(await own("--stack", "a", "--", "ls", "-h")).toEqual(["--stack", "a", "--"]);
    expect(await own("--help")).toEqual(["--help"]);
  });

  it("is nothing for help, except for the CLI's own", async () => {
    expect(await needs("up", "--help")).toEqual({ pulumi: false, cloud: false });
    expect(await needs("pulumi", "up", "--help")).toEqual({ pulumi: true, cloud: false });
  });
});

describe("the command", () => {
  it("lists the commands, and fails for an unknown one", async () => {
    const { code, err } = await machine.node([bootstrap, "no-such-command"]);
    expect(code).toBe(2);
    expect(err).toMatch(/Unknown command no-such-command/);
    expect(err).toMatch(/npm run doctor/);
    const help = await machine.node([bootstrap, "--help"]);
    expect(help.code).toBe(0);
    expect(help.err).not.toMatch(/Unknown|npm run setup/);
    expect(help.err).toMatch(/node engine\/bootstrap\.mjs setup/);
  });

  it("tells the options of each suite", async () => {
    const suites = (await machine.evaluate("suites", "m.suites")) as Record<
      string,
      { options: object; flags?: object }
    >;
    expect(Object.keys(suites)).toContain("test:foreign");
    for (const [suite, { options, flags }] of Object.entries(suites)) {
      const { code, out } = await machine.node([bootstrap, suite, "--help"]);
      expect(code).toBe(0);
      for (const option of Object.keys({ ...options, ...flags }))
        expect(out).toMatch(new RegExp(`^npm run ${suite}: .*${option}\\b`));
    }
  });

  it("tells the parts without making anything ready, and how to get what is missing", async () => {
    const { out } = await machine.node([bootstrap, "parts"]);
    const parts = JSON.parse(out) as { name: string; state: string; remedy?: string }[];
    expect(parts.find(({ name }) => name === "Pulumi CLI and engine")).toMatchObject({
      state: "missing",
      remedy: "node engine/bootstrap.mjs setup",
    });
    expect(parts.find(({ name }) => name === "Node.js")).toMatchObject({ state: "ok", version: process.version });
    expect(() => statSync(machine.path("cache"))).toThrow("ENOENT");
  });
});
