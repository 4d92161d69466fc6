import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HandlerContext } from "../../../components/dynamic/handler";
import { handler } from "../../../components/resources/upload-handler";
import { walkCode } from "../../../local/folder/walk";
import { originOf } from "../../../local/git/repository";
import { uploadTree } from "../../../remote/transfer/upload";
import { RunHost } from "../../remote/run-host";
import { useScriptHost } from "../../remote/script-host";
import { gitIn, TestRepository } from "../../support/repository";

const host = useScriptHost();
const runs = new RunHost(host);

type Inputs = Parameters<typeof handler.create>[0];

const context: HandlerContext = {
  config: () => undefined,
  progress: () => {},
  status: () => {},
  engineAlive: async () => true,
  interrupted: new AbortController().signal,
};

/** The commit that the code on an instance knows, when only that has changed at home. */
describe("a new commit of the same files", { timeout: 60_000 }, () => {
  let repository: TestRepository;
  beforeEach(() => {
    repository = new TestRepository();
    repository.commit({ "train.py": "" });
  });
  afterEach(() => repository.remove());

  const inputs = async (): Promise<Inputs> => ({
    ...{ instanceId: "i1", access: host.sshd.access, kind: "code", source: repository.folder, target: "work" },
    ...{ hash: "h", protectedPaths: [], repository: (await originOf(repository.folder, [])).key },
  });
  const there = (): string => gitIn(host.home("work"), "rev-parse", "HEAD");
  const apply = async (olds: Inputs, news: Inputs): Promise<Inputs> => {
    expect((await handler.diff("id", olds, news, context)).changes).toBe(true);
    return (await handler.update?.("id", olds, news, context)) ?? expect.fail("it has no update");
  };

  it("is put in place, but not under a run that goes on, and not where an earlier release had put the code", async () => {
    await uploadTree(host.session, { tree: await walkCode(repository.folder), remoteRoot: "work", name: "work" });
    const { repository: none, ...early } = await inputs();
    expect(none).toBeDefined();
    expect((await handler.diff("id", early, await inputs(), context)).changes).toBe(false);
    // A plan that is held, whose commit nobody knows.
    expect((await handler.diff("id", await inputs(), early, context)).changes).toBe(false);
    const first = await apply({ ...early, repository: "none yet" }, await inputs());
    expect(there()).toBe(repository.git("rev-parse", "HEAD"));
    expect((await handler.diff("id", first, await inputs(), context)).changes).toBe(false);

    const before = there();
    const second = repository.commit();
    const plan = runs.plan("echo step 1; exec sleep 60");
    await runs.start(plan);
    await runs.until(plan, "running");
    const held = await apply(first, await inputs());
    expect(there()).toBe(before);
    expect(held.repository).toBe(first.repository);
    await runs.stop(plan);
    const last = await apply(held, await inputs());
    expect(there()).toBe(second);
    expect(last).toEqual(await inputs());
    expect(gitIn(host.home("work"), "status", "--porcelain", "--untracked-files=no")).toBe("");
  });
});
