import type { FaultCase } from "../../case";
import type { World } from "../../world";
import { expectSame } from "../expect";
import { refreshed } from "./heal";

const running = async (world: World): Promise<void> => {
  await world.fine(world.up());
  await world.checkpoint();
};

const terminated = async (world: World) => world.cloud.admin.terminate(await world.instanceId());

/** The API forgets what has ended at once: it knows nothing of the id any more. */
const forgotten = async (world: World): Promise<void> => {
  const id = await world.instanceId();
  await world.cloud.admin.patchSettings({ seconds: { terminating: 0, terminated: 0 } });
  await world.cloud.admin.terminate(id);
  await world.until(async () => !(await world.cloud.admin.state()).instances.some((one) => one.id === id));
};

const trouble = async (world: World, kind: "preempted" | "unhealthy" | "no-ip") => {
  const match = { instanceId: await world.instanceId() };
  return world.cloud.admin.addInstanceFault({ match, trouble: { kind } });
};

const preempted = async (world: World): Promise<void> => {
  await trouble(world, "preempted");
  await world.until(async () => (await world.living()).length === 0);
};

const losses = { "terminated from outside": terminated, "gone without a trace": forgotten, preempted };

/** An instance that is lost, or not well, while its run goes on or comes to its end. */
export const endCases: readonly FaultCase[] = [
  ...Object.entries(losses).flatMap(([fault, lose]): FaultCase[] => [
    {
      kind: "instance",
      stage: "refresh",
      fault: `${fault} during training`,
      before: running,
      inject: async (world) => {
        await lose(world);
        const { instance } = await world.status();
        if (!/terminat|gone|preempted/.test(instance?.status ?? ""))
          throw new Error(`status says that the instance is ${instance?.status}`);
      },
      act: (world) => world.refresh(),
      outcome: "ridden out",
      inDefault: fault === "terminated from outside",
    },
    {
      kind: "instance",
      stage: "download",
      fault: `${fault} during training`,
      before: running,
      inject: lose,
      act: (world) => world.down(),
      outcome: "ridden out",
      message: /is gone; only the results downloaded before remain/,
    },
  ]),
  {
    kind: "instance",
    stage: "training",
    fault: "restarts, and a refresh sees it",
    before: running,
    inject: async (world) => world.restart(await world.instanceId()),
    act: async (world) => {
      const id = await world.instanceId();
      const ended = await world.up("--refresh");
      await expectSame(world, id);
      return ended;
    },
    outcome: "ridden out",
    after: async (world) => {
      const { run } = await world.status();
      if (run.state !== "running" || run.attempt !== 2) throw new Error(`The run is ${JSON.stringify(run)}`);
    },
  },
  {
    kind: "instance",
    stage: "download",
    fault: "restarts before the results are home",
    before: running,
    inject: async (world) => world.restart(await world.instanceId()),
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /files, .* MB verified in/,
  },
  {
    kind: "instance",
    stage: "evaluation",
    fault: "terminated from outside",
    tiny: { overrides: { steps: 12, seconds_per_step: 0.01 }, train: { waitFor: "end" } },
    inject: async ({ project }) => {
      const evaluate = project.read("tiny/evaluate.py");
      const wait = 'import pathlib, time\n(pathlib.Path.home() / "evaluating").touch()\ntime.sleep(30)\n';
      project.write("tiny/evaluate.py", wait + evaluate);
    },
    act: (world) =>
      world.during("up", async () => {
        await world.until(async () => world.memory.inHome((await world.living())[0]?.id ?? "none", "evaluating"));
        await terminated(world);
      }),
    outcome: "told",
    message: /connect|lost|reach|gone/i,
    heal: refreshed,
  },
  {
    kind: "instance",
    stage: "terminate",
    fault: "takes its time",
    before: running,
    inject: ({ cloud }) => cloud.admin.patchSettings({ seconds: { terminating: 500 } }),
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /is terminated\s[\s\S]*bill: \$/,
  },
  {
    kind: "instance",
    stage: "terminate",
    fault: "does not end",
    before: running,
    inject: ({ cloud }) => cloud.admin.patchSettings({ seconds: { terminating: 1_000_000 } }),
    act: (world) => world.down(),
    outcome: "told",
    message: /is still terminating 40 min after it was told to terminate\. It may still be billed: run `destroy` again/,
  },
  {
    kind: "instance",
    stage: "refresh",
    fault: "unhealthy",
    before: running,
    inject: (world) => trouble(world, "unhealthy"),
    act: (world) => world.refresh(),
    outcome: "ridden out",
    after: (world) => world.instanceId(),
  },
  {
    kind: "instance",
    stage: "refresh",
    fault: "shows no address any more",
    before: running,
    inject: (world) => trouble(world, "no-ip"),
    act: async (world) => {
      const id = await world.instanceId();
      const ended = await world.up("--refresh");
      await expectSame(world, id);
      return ended;
    },
    outcome: "ridden out",
  },
];
