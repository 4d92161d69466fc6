import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { viewOf } from "../../cli/stack/exported";
import { aliasesOf, defaultAlias, refreshSshFiles, removeSshFiles, writeSshFiles } from "../../cli/stack/ssh-files";
import type { MachineView } from "../../cli/stack/stack-view";
import { exported } from "../support/stack-state";

/** The files of a stack with two machines, the first of which is named as the only one of a stack is. */
describe("the OpenSSH client's files", () => {
  const home = mkdtempSync(join(tmpdir(), "lambda-train-home-"));
  const { machines } = viewOf("test", exported(["machine", "big"].map((name) => ({ name, runs: [] }))));
  const conf = (alias: string): string => readFileSync(join(home, ".ssh/lambda-train", `${alias}.conf`), "utf8");

  beforeAll(() => vi.stubEnv("HOME", home));
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  it("are each machine's own: one does not get the other's address", () => {
    for (const { machine, access } of machines) {
      if (access !== undefined) writeSshFiles("test", machine, defaultAlias("test", machine), access);
    }
    expect(aliasesOf("test").sort()).toEqual(["test", "test-big"]);
    expect([aliasesOf("test", "machine"), aliasesOf("test", "big")]).toEqual([["test"], ["test-big"]]);
    expect(conf("test").split("\n").slice(1, 3)).toEqual(["Host test", "  HostName machine.example"]);
    const moved = machines.map(
      (each): MachineView => ({ ...each, access: each.access && { ...each.access, host: `new-${each.machine}` } }),
    );
    for (const machine of moved) refreshSshFiles("test", machine);
    expect(conf("test")).toContain("HostName new-machine");
    expect(conf("test-big")).toContain("HostName new-big");
    expect(removeSshFiles("test").sort()).toEqual(["test", "test-big"]);
    expect(aliasesOf("test")).toEqual([]);
  });
});
