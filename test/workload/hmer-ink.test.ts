import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const workload = resolve(__dirname, "../../examples/hmer-ink");
const python = process.env.PYTHON ?? "/usr/bin/python3";
const limitMs = 600_000;

/** Runs a command in its own process group and kills the group when it takes too long. */
function run(command: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: workload, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group is gone already, as it should be.
      }
    };
    const timer = setTimeout(end, limitMs);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", fail);
    child.on("close", (status) => {
      clearTimeout(timer);
      end();
      done({ status, output });
    });
  });
}

it("the reference workload passes its own tests", { timeout: limitMs + 10_000 }, async () => {
  const { status, output } = await run(python, ["-m", "unittest", "discover"]);
  const ran = Number(/^Ran (\d+) tests? in /m.exec(output)?.[1] ?? 0);
  expect(status, output).toBe(0);
  // Python 3.11 calls it a success when it finds no test at all.
  expect(ran, output).toBeGreaterThan(50);
  expect(output).toMatch(/^OK/m);
});

it("every target that the stack calls is there and its shell scripts are executable", { timeout: 30_000 }, async () => {
  for (const target of ["setup", "data", "smoke", "train", "evaluate", "dashboard", "clean"]) {
    const { status, output } = await run("make", ["--dry-run", target, "MODEL=x", `PYTHON=${python}`]);
    expect(status, `${target}: ${output}`).toBe(0);
  }
  const { status, output } = await run("test", ["-x", join(workload, "scripts/lambda_setup.sh")]);
  expect(status, output).toBe(0);
});
