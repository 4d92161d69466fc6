import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { isAlive } from "../../emulator/run-file";

it("a process that has ended counts as ended, although nobody has asked for its status yet", async () => {
  // The second `sleep` never asks for the child that it took over from the shell.
  const parent = spawn("bash", ["-c", "sleep 1 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(isAlive(parent.pid ?? 0)).toBe(true);
  } finally {
    parent.kill("SIGKILL");
  }
});
