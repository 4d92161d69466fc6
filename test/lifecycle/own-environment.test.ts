import { cpSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";

/**
 * A workload whose setup script installs conda for itself and makes an environment by name, and reads the dataset and a
 * file that the repository lacks; through the real CLI, behind a proxy that answers nobody.
 */
describe("an environment that setup makes", { timeout: 180_000 }, () => {
  const project = new Project();
  let proxy: Server;
  let proxied = 0;

  const configure = (environment: object = {}): void => {
    project.write(
      "configs/own.yaml",
      stringify({
        experiment: "own",
        workload: { source: "own", files: { ".env": "private/own.env" } },
        dataset: { source: "own-data", splits: ["train"] },
        environment: { waitForDataset: true, ...environment },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["only_there"] },
        train: { command: "make train", config: null, waitFor: "end", firstStepTimeoutMinutes: 1 },
        evaluate: null,
        dashboard: null,
      }),
    );
    project.configure({ experiment: "configs/own.yaml" });
  };
  const proxies = (): Record<string, string> => {
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    return { http_proxy: address, https_proxy: address };
  };

  beforeAll(async () => {
    // It takes connections, and says nothing.
    proxy = createServer();
    proxy.on("connect", () => {
      proxied += 1;
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    cpSync(join(__dirname, "../fixtures/own-environment"), join(project.folder, "own"), { recursive: true });
    project.write("own/.gitignore", ".env\n");
    project.write("private/own.env", "TOKEN=own-secret\n");
    project.write("own-data/train/a.txt", "words of the dataset\n");
    configure();
    await project.init();
    await TestCloud.start(project);
  });
  afterAll(async () => {
    proxy?.closeAllConnections();
    proxy?.close();
    await project.dispose();
  });

  it("is the one that the gate, training, exec and ssh use, and no second one is made", async () => {
    await project.succeeds("up", [], proxies());
    expect(proxied).toBe(0);
    const gate = (await project.resources()).find(({ urn }) => urn.endsWith("gate-verify"))?.outputs?.stdout;
    expect(gate).toMatch(/ok python: Python 3\.[\d.]+, \/home\/ubuntu\/miniconda3\/envs\/hmer-ink\/bin\/python\n/);
    expect(gate).toContain("ok module only_there");
    const there = "/home/ubuntu/miniconda3/envs/hmer-ink/lib";
    expect(await project.succeeds("logs")).toContain(`step 1 loss 1.0 ${there}`);
    const show = "import only_there; print(only_there.WHERE)";
    expect(await project.succeeds("exec", ["--", "python", "-c", show])).toContain(there);
    expect(await project.succeeds("ssh", ["--", `python -c '${show}'`])).toContain(there);
    expect(await project.succeeds("ssh", ["--", "ls .lambda-train/envs 2>/dev/null | wc -l"])).toContain("0");
  });

  it("is that of an interactive shell", async () => {
    const { child, ended } = project.terminal("ssh");
    child.stdin?.write("command -v python; cat seen-by-setup; exit\n");
    const { output } = await ended;
    expect(output).toContain("/home/ubuntu/miniconda3/envs/hmer-ink/bin/python");
    expect(output).toContain("words of the dataset");
  });

  it("was made once the dataset and the file from outside were there, whose content is in no state", async () => {
    expect(await project.succeeds("ssh", ["--", "cat seen-by-setup"])).toContain(
      "words of the dataset\nTOKEN=own-secret",
    );
    expect(project.stateText()).not.toContain("own-secret");
  });

  it("is named by environment.activate, and ends with the stack", async () => {
    configure({ activate: "conda activate nowhere" });
    expect(await project.fails("up")).toContain("environment.activate ended with status 1: conda activate nowhere");
    configure({ activate: "conda activate other" });
    await project.succeeds("up");
    expect(await project.succeeds("exec", ["--", "bash", "-c", 'echo "$CONDA_DEFAULT_ENV"'])).toContain("other");
    await project.succeeds("down");
  });
});
