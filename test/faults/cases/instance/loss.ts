import { setTimeout as sleep } from "node:timers/promises";
import type { FaultCase, Stage } from "../../case";
import type { World } from "../../world";
import { refreshed } from "./heal";

/** A moment of an `up` at which an instance can be lost: how to make it last, and how to see that it has come. */
interface Moment {
  readonly stage: Stage;
  readonly prolong: (world: World) => Promise<unknown>;
  readonly come: (world: World, id: string, output: string) => boolean;
}

async function extend({ project }: World, path: string, lines: string): Promise<void> {
  project.write(path, `${project.read(path)}\n${lines}\n`, 0o755);
}

const moments: readonly Moment[] = [
  {
    stage: "upload",
    prolong: async ({ project, cloud }) => {
      project.write("tiny/weights.txt", Array.from({ length: 300_000 }, (_, i) => `${i * 7919}`).join("\n"));
      await cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond: 60_000 } });
    },
    come: (_world, _id, output) => /Upload workspace\S* creating/.test(output),
  },
  {
    stage: "setup",
    prolong: (world) => extend(world, "tiny/scripts/lambda_setup.sh", "sleep 30"),
    come: ({ memory }, id) => memory.inHome(id, "setups"),
  },
  {
    stage: "start",
    prolong: async ({ project }) => {
      const train = project.read("tiny/train.py");
      project.write(
        "tiny/train.py",
        `import pathlib, time\n(pathlib.Path.home() / "loading").touch()\ntime.sleep(30)\n${train}`,
      );
    },
    come: ({ memory }, id) => memory.inHome(id, "loading"),
  },
];

/** How an instance is lost, and what an `up` can do about it. */
const losses: readonly { readonly fault: string; readonly lose: (world: World, id: string) => Promise<unknown> }[] = [
  { fault: "terminated from outside", lose: ({ cloud }, id) => cloud.admin.terminate(id) },
  {
    fault: "preempted",
    lose: ({ cloud }, instanceId) =>
      cloud.admin.addInstanceFault({ match: { instanceId }, trouble: { kind: "preempted" } }),
  },
  { fault: "restarts", lose: (world, id) => world.restart(id) },
];

/** An instance that is lost while an `up` works on it. */
export const lossCases: readonly FaultCase[] = moments.flatMap(({ stage, prolong, come }) =>
  losses.map(({ fault, lose }): FaultCase => {
    // A transfer goes on over a new connection, and so does the look for a first step.
    const survives = fault === "restarts" && stage === "upload";
    return {
      kind: "instance",
      stage,
      fault,
      inject: prolong,
      act: (world) =>
        world.during("up", async (output) => {
          await world.until(async () => {
            const [instance] = await world.living();
            return instance !== undefined && come(world, instance.id, output());
          });
          await sleep(500);
          await lose(world, await world.instanceId());
          // The transfer would take long at this pace; what is tested is the loss.
          await world.cloud.admin.removeAllFaults();
        }),
      outcome: survives ? "ridden out" : "told",
      message: survives ? undefined : /connect|lost|reach|gone|restart|failed/i,
      heal: refreshed,
    };
  }),
);
