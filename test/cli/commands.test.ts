import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { TestCloud } from "../support/cloud";
import { type Ended, Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";

/** What people do at a terminal, on another machine than the one that rents: it has the backend and the passphrase alone. */
describe("at a terminal of any machine", { timeout: 180_000 }, () => {
  const home = new Project();
  const away = new Project();
  const userHome = join(away.folder, "user");
  let cloud: TestCloud;

  beforeAll(async () => {
    useTinyWorkload(home, {
      overrides: { steps: 1_000_000, seconds_per_step: 0.004 },
      train: { variables: { GREETING: "grüß 'dich'" } },
    });
    mkdirSync(userHome, { mode: 0o700 });
    const { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE } = home.env;
    Object.assign(away.env, { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE, HOME: userHome });
    await home.init();
    cloud = await TestCloud.start(home);
    const { code, output } = await home.run("up");
    expect(code, output).toBe(0);
  }, 180_000);
  afterAll(async () => {
    await home.dispose();
    await away.dispose();
  });

  /** Runs a command with a standard input, its two outputs apart. */
  const withInput = (name: string, args: readonly string[], input: string) => {
    const child = spawn(process.execPath, [join("dist", "cli", `${name}.js`), ...args], {
      cwd: away.folder,
      env: away.env,
    });
    const text = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
    child.stdin.end(input);
    const ended = new Promise<Ended & typeof text>((resolve) => {
      child.on("close", (code) => resolve({ code: code ?? 1, output: "", ...text }));
    });
    return { child, ended };
  };
  const exec = async (...words: string[]) => withInput("exec", ["--", ...words], "").ended;

  it("exec passes on words, input, outputs and the exit code, with folder, environment and variables of training", async () => {
    const words = ["", "a  b", "$HOME *", "it's", '"', "\\", "ünï\n2", "--help"];
    expect(await exec("printf", "%s|", ...words)).toMatchObject({ code: 0, stdout: `${words.join("|")}|`, stderr: "" });
    const script =
      'pwd; echo "$GREETING"; echo "$PYTHONUNBUFFERED"; env | grep -c ^LAMBDA_TRAIN_VARIABLES; wc -c; echo err >&2; exit 42';
    const { code, stdout, stderr } = await withInput("exec", ["bash", "-c", script], "x".repeat(500_000)).ended;
    expect({ code, stdout, stderr }).toEqual({
      code: 42,
      stdout: "/home/ubuntu/tiny\ngrüß 'dich'\n1\n0\n500000\n",
      stderr: "err\n",
    });
    const missing = await exec("no-such-program");
    expect(missing).toMatchObject({ code: 127 });
    expect(missing.stderr).not.toContain("bash -c");
    expect(await exec("ls | wc -l")).toMatchObject({
      code: 127,
      stderr: expect.stringMatching(/not found\n`exec` runs its words as they are.*exec -- bash -c 'ls \| wc -l'$/m),
    });
    expect(await withInput("exec", ["--home", "pwd"], "").ended).toMatchObject({ stdout: "/home/ubuntu\n" });
    expect(await withInput("ssh", ["ls", "-d", "tiny"], "").ended).toMatchObject({ code: 0, stdout: "tiny\n" });
    expect(await withInput("ssh", [], "echo $((6 * 7))\n").ended).toMatchObject({ code: 0, stdout: "42\n" });
  });

  it("exec hands signals on, and says what became of a command whose connection was lost", async () => {
    const waiting = withInput(
      "exec",
      ["bash", "-c", "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.1; done"],
      "",
    );
    await new Promise((ready) => waiting.child.stdout.once("data", ready));
    waiting.child.kill("SIGINT");
    expect(await waiting.ended).toMatchObject({ code: 3, stdout: "ready\ninterrupted\n" });
    const lost = withInput("exec", ["bash", "-c", "echo ready; sleep 30"], "");
    await new Promise((ready) => lost.child.stdout.once("data", ready));
    await cutAll();
    expect(await lost.ended).toMatchObject({
      code: 255,
      stderr: expect.stringMatching(/lost.*still runs on the instance \(process \d+/s),
    });
  });

  /** Waits until a command has printed something. */
  const told = (child: ChildProcess, text: string): Promise<void> =>
    new Promise((found, gone) => {
      let seen = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen.includes(text)) found();
      });
      child.on("close", () => gone(new Error(`It ended without ${text}: ${seen}`)));
    });

  const cutAll = async (): Promise<void> => {
    const { instances } = await cloud.inventory();
    await cloud.admin.dropConnections(instances[0] ?? "");
  };

  it("logs --follow over a connection that is cut every five seconds loses and repeats no line", async () => {
    const { child, ended } = away.start(process.execPath, ["dist/cli/logs.js", "--follow"]);
    for (let cuts = 0; cuts < 2; cuts++) {
      await sleep(5000);
      await cutAll();
    }
    await sleep(2500);
    child.kill("SIGINT");
    const { code, output } = await ended;
    const numbers = [...output.matchAll(/^step (\d+) loss/gm)].map(([, number]) => Number(number));
    expect(code).toBe(0);
    expect(output.match(/was lost/g)).toHaveLength(2);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => i + 1));
    expect(numbers.length).toBeGreaterThan(1000);
  });

  it("logs begin with a time, and show the lines that match", async () => {
    const { code, output } = await away.run("logs", ["--no-follow", "--since", "3s", "--grep", "^STEP \\d+00 ", "-i"]);
    expect(code, output).toBe(0);
    const numbers = [...output.matchAll(/^step (\d+) loss/gm)].map(([, number]) => Number(number));
    expect(output.trim().split("\n").length).toBe(numbers.length);
    expect(numbers.every((number) => number % 100 === 0)).toBe(true);
    expect(numbers[0]).toBeGreaterThan(1000);
    expect(await away.run("logs", ["--grep", "("])).toMatchObject({ code: 2 });
  });

  it("a progress bar redraws itself in a terminal, is one line elsewhere, and nothing else than colours steers a terminal", async () => {
    const title = "\u001b]0;evil\u0007";
    const clipboard = "\u001b]52;c;ZXZpbA==\u001b\\";
    const bar = `\u001b[32m 0%\u001b[0m\r${title} 50%\u001b[K\r${clipboard}100%|##########|\r\n`;
    const end = "\u001b[2J\u009b5Athe end of the bar\u001bc\u001b[?1049h\n";
    await exec("bash", "-c", 'printf %s "$0" >>~/.lambda-train/runs/tiny-v1/train.log', bar + end);
    const all = ["--no-follow", "--since", "2m"];
    const steering = new RegExp(["\u001b[^[]", "\u001b\\[[\\d;]*[^\\d;m]", "[\\u0007\\u009b]"].join("|"));

    const piped = await away.run("logs", all);
    expect(piped.code, piped.output).toBe(0);
    expect(piped.output).toMatch(/^100%\|##########\|\nthe end of the bar$/m);
    expect(piped.output).not.toContain(" 50%");
    expect(piped.output).not.toMatch(steering);
    const found = await away.run("logs", [...all, "--grep", "%\\|#+\\|$"]);
    expect(found.output).toBe("100%|##########|\n");

    const shown = await away.terminal("logs", all).ended;
    expect(shown.output).toContain("\u001b[32m 0%\u001b[0m\r 50%\r100%|##########|\r");
    expect(shown.output).not.toMatch(steering);

    const states = 'b"".join(b"\\r%d of a long bar" % at for at in range(50000)) + b"\\n"';
    const log = 'os.path.expanduser("~/.lambda-train/runs/tiny-v1/train.log")';
    await exec("python3", "-c", `import os; open(${log}, "ab", 0).write(${states})`);
    const last = await away.terminal("logs", ["--no-follow", "--lines", "5000"]).ended;
    expect(last.output).toContain("49999 of a long bar");
    expect(last.output.match(/of a long bar/g)?.length).toBeLessThan(10);
    expect(last.output.split("\n").length).toBeLessThanOrEqual(5002);

    const raw = await away.run("logs", [...all, "--raw"]);
    expect(raw.output).toContain(bar + end);
    expect(await away.run("logs", [...all, "--raw", "--grep", "x"])).toMatchObject({ code: 2 });

    const waiting = away.start(process.execPath, ["dist/cli/wait.js"]);
    await told(waiting.child, "the end of the bar");
    waiting.child.kill();
    const waited = await waiting.ended;
    expect(waited.output).toMatch(/^100%\|##########\|\nthe end of the bar$/m);
    expect(waited.output).not.toMatch(steering);
  });

  it("status is one screen of 80 columns, lines where there is no terminal, and one JSON object", async () => {
    const { code, output } = await away.run("status", [], { NO_COLOR: "1" });
    expect(code, output).toBe(0);
    for (const text of [
      /^run +tiny-v1 {2}running$/m,
      /^progress +step \d+ {2}loss /m,
      /^machine .*disk/m,
      /^cost +\$/m,
    ])
      expect(output).toMatch(text);
    expect(output).not.toContain("\u001b");
    const report = JSON.parse((await away.run("status", ["--json"])).output);
    expect(report).toMatchObject({ run: { state: "running" }, progress: { axis: "step" }, machine: { gpus: [] } });
    const { child, ended } = away.start(process.execPath, ["dist/cli/status.js", "--watch", "1"]);
    for (let line = 0; line < 2; line++) await told(child, "  running  step ");
    await cutAll();
    for (let line = 0; line < 3; line++) await told(child, "  running  step ");
    child.kill("SIGINT");
    const watched = await ended;
    expect(watched.code, watched.output).toBe(0);
    const steps = [...watched.output.matchAll(/^\S+ {2}tiny-v1 {2}running {2}step (\d+)/gm)].map(([, at]) =>
      Number(at),
    );
    expect(steps.length).toBeGreaterThan(3);
    expect(steps.at(-1)).toBeGreaterThan((steps[0] ?? 0) + 200);
  });

  it("in a terminal: exec gives the command one of the same size, status --watch draws in place until Ctrl-C", async () => {
    const script = 'test -t 0 && test -t 1 && stty size; read -r line; echo "got $line"; exit 7';
    const asked = away.terminal("exec", ["--", "bash", "-c", script]);
    await told(asked.child, "40 100");
    asked.child.stdin?.write("hello\r");
    const answered = await asked.ended;
    expect(answered.output).toMatch(/40 100\r+\n[\s\S]*got hello/);
    expect(answered.code).toBe(7);

    const watching = away.terminal("status", ["--watch", "1"]);
    await told(watching.child, "loss ");
    for (let drawn = 0; drawn < 2; drawn++) await told(watching.child, "\u001b[H");
    watching.child.stdin?.write("\u0003");
    const { code, output } = await watching.ended;
    expect(code, output).toBe(0);
    const screens = output.split("\u001b[H").slice(1);
    expect(screens.length).toBeGreaterThan(2);
    for (const screen of screens) {
      // The terminal itself echoes the key.
      const lines = stripVTControlCharacters(screen).replace("^C", "").split("\r\n");
      expect(lines.length).toBeLessThanOrEqual(40);
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
    }
    expect(output.endsWith("\u001b[?25h\u001b[?1049l"), JSON.stringify(output.slice(-40))).toBe(true);
  });

  it("notebook opens Jupyter through a tunnel under a token of its own, and stops it", async () => {
    const { instances } = await cloud.inventory();
    const missing = await away.run("notebook");
    expect(missing.code).toBe(3);
    expect(missing.output).toContain("environment has no Jupyter");
    // Stands in for Jupyter, which is too big to install here: it takes the arguments and the token that Jupyter takes.
    const server = [
      "#!/usr/bin/env python3",
      "import http.server, os, sys",
      "if '--version' in sys.argv: sys.exit(print('4.0'))",
      "options = dict(word.lstrip('-').split('=', 1) for word in sys.argv if '=' in word)",
      "class Handler(http.server.BaseHTTPRequestHandler):",
      "  def do_GET(self):",
      "    ok = 'token=' + os.environ['JUPYTER_TOKEN'] in self.path",
      "    self.send_response(200 if ok else 403); self.end_headers(); self.wfile.write(os.getcwd().encode())",
      "http.server.HTTPServer((options['ip'], int(options['port'])), Handler).serve_forever()",
      "",
    ].join("\n");
    await cloud.admin.putFile(instances[0] ?? "", { path: "/usr/local/bin/jupyter", content: server });
    const { child, ended } = away.start(process.execPath, ["dist/cli/notebook.js"]);
    const url = await new Promise<string>((found, gone) => {
      let text = "";
      const take = (chunk: Buffer): void => {
        text += chunk.toString();
        const match = /http:\/\/127\.0\.0\.1:\d+\/lab\?token=[0-9a-f]{48}/.exec(text);
        if (match) found(match[0]);
      };
      child.stdout?.on("data", take);
      child.stderr?.on("data", take);
      child.on("close", () => gone(new Error(text)));
    });
    const asked = await fetch(url);
    expect({ status: asked.status, text: await asked.text() }).toEqual({ status: 200, text: "/home/ubuntu/tiny" });
    expect((await fetch(url.replace(/token=.*/, "token=0"))).status).toBe(403);
    const token = /token=(\w+)/.exec(url)?.[1] ?? "";
    expect(
      (
        await away.run("ssh", [
          `ps -eo args | grep -c '[${token[0]}]${token.slice(1)}'; stat -c %a .lambda-train/notebook/token`,
        ])
      ).output,
    ).toBe("0\n600\n");
    await cutAll();
    for (let tries = 0; (await fetch(url).catch(() => undefined))?.status !== 200; tries++) {
      if (tries > 100) throw new Error("The tunnel did not come back.");
      await sleep(100);
    }
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    expect((await away.run("notebook", ["--stop"])).code).toBe(0);
    expect((await away.run("notebook", ["--stop"])).code).toBe(3);
  });

  it("results --watch brings each new checkpoint home over a lost connection, and ends with the run", async () => {
    const { ended, child } = away.start(process.execPath, ["dist/cli/results.js", "--watch", "1"]);
    let told = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      told += chunk.toString();
    });
    const homes = async (count: number): Promise<void> => {
      for (let tries = 0; told.split("verified in").length - 1 < count; tries++) {
        if (tries > 300) throw new Error(told);
        await sleep(100);
      }
    };
    await homes(1);
    await cutAll();
    await homes(3);
    const folder = join(away.folder, "results/test/tiny-v1");
    await exec("bash", "-c", "kill -TERM $(pgrep -f '[t]rain.py')");
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    expect(output.trimEnd()).toMatch(/\(run: failed\)$/);
    expect(output.match(/Written outside of the outputs folder/g)).toHaveLength(1);
    expect(await verifyResults(folder)).toMatchObject({ ok: true });
    expect(readFileSync(join(folder, "run/train.log"), "utf8")).toContain("training ended with status");
  });

  it("ssh-config makes the stack a host of OpenSSH, for as long as it has an instance", async () => {
    const ssh = (host: string) => away.start("ssh", ["-F", join(userHome, ".ssh/config"), host, "cat", "setups"]).ended;
    const made = await away.run("ssh-config", ["--install"]);
    expect(made, made.output).toMatchObject({ code: 0, output: "ssh test\n" });
    await away.run("ssh-config", ["--install"]);
    expect(readFileSync(join(userHome, ".ssh/config"), "utf8").split("\n")).toHaveLength(2);
    expect(await ssh("test")).toMatchObject({ code: 0 });
    const folder = join(userHome, ".ssh/lambda-train");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "test.key")).mode & 0o777).toBe(0o600);
    // Another machine at the address is refused.
    const known = readFileSync(join(folder, "test.known_hosts"), "utf8");
    const { newEd25519 } = await import("../../lambda/account/ed25519");
    away.write("user/.ssh/lambda-train/test.known_hosts", `lambda-train-test ${newEd25519().publicKey}\n`, 0o600);
    expect((await ssh("test")).output).toContain("Host key verification failed");
    await away.run("ssh-config");
    expect(readFileSync(join(folder, "test.known_hosts"), "utf8")).toBe(known);
    expect((await away.run("ssh-config", ["--remove"])).code).toBe(0);
    expect(existsSync(folder)).toBe(false);
    expect(readFileSync(join(userHome, ".ssh/config"), "utf8")).toBe("");
  });
});
