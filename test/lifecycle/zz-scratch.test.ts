import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "vitest";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";

it("scratch", { timeout: 3_600_000 }, async () => {
  const project = new Project();
  useTinyWorkload(project, { overrides: { steps: 100_000 } });
  await project.init();
  await TestCloud.start(project);
  const { code, output } = await project.run("up");
  const env = Object.entries(project.env).filter(([k, v]) => v !== process.env[k] || /PATH|PULUMI|LAMBDA/.test(k));
  writeFileSync(
    "/tmp/kmoney/env.sh",
    `${env.map(([k, v]) => `export ${k}='${v}'`).join("\n")}\ncd ${project.folder}\n`,
  );
  writeFileSync("/tmp/kmoney/up.log", `${code}\n${output}`);
  while (!existsSync("/tmp/kmoney/stop")) await sleep(500);
  await project.run("down");
  await project.dispose();
});
