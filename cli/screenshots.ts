import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectFolder } from "../local/paths";

/** `npm run screenshots`: takes the pictures in docs/images again. */
const program = [
  "-r",
  join(projectFolder(), "engine", "typescript.cjs"),
  join(projectFolder(), "docs", "screenshots", "take.ts"),
];
process.exitCode = spawnSync(process.execPath, program, { cwd: projectFolder(), stdio: "inherit" }).status ?? 1;
