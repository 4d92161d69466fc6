import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectFolder } from "../local/paths";

/** `npm run bench`: the benchmarks, each in a process of its own. They print ratios and judge nothing. */
for (const name of ["no-op.ts"]) {
  const program = ["-r", "ts-node/register/transpile-only", join(projectFolder(), "bench", name)];
  const { status } = spawnSync(process.execPath, program, { cwd: projectFolder(), stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
