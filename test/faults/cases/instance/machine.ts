import type { FaultCase } from "../../case";
import type { World } from "../../world";
import { replaced } from "./heal";

const home =
  (bytes: number) =>
  ({ cloud }: World) =>
    cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "small-disk", bytes } });

/** A script of the workload with further lines. */
async function extend({ project }: World, path: string, lines: string): Promise<void> {
  project.write(path, `${project.read(path)}\n${lines}\n`, 0o755);
}

const fill = "head -c 8000000 /dev/zero > ~/filled";

/** Machines that are not what was hoped for. */
export const machineCases: readonly FaultCase[] = [
  {
    kind: "instance",
    stage: "upload",
    fault: "disk full",
    inject: async (world) => {
      world.project.write("tiny/weights.txt", "0123456789abcdef".repeat(200_000));
      await home(1_500_000)(world);
    },
    outcome: "told",
    message: /No space left on device: 3\.\d MB are to come and .* choose an instance type with a bigger disk/,
    heal: replaced,
  },
  {
    kind: "instance",
    stage: "setup",
    fault: "disk full",
    inject: async (world) => {
      await extend(world, "tiny/scripts/lambda_setup.sh", fill);
      await home(4_000_000)(world);
    },
    outcome: "told",
    message: /No space left on device/,
    heal: replaced,
  },
  {
    kind: "instance",
    stage: "gate",
    fault: "disk smaller than asked for",
    tiny: { gate: { minDiskGiB: 1 } },
    inject: home(50_000_000),
    outcome: "told",
    message: /FAIL disk: .*gate\.minDiskGiB asks for 1; choose an instance type with a bigger disk/,
    heal: replaced,
  },
  {
    kind: "instance",
    stage: "gate",
    fault: "another processor architecture",
    tiny: { gate: { architecture: "x86_64" } },
    inject: ({ cloud }) =>
      cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "machine", machine: "aarch64" } }),
    outcome: "told",
    message: /FAIL architecture: this instance is (aarch64|arm64), gate\.architecture asks for x86_64/,
    heal: replaced,
  },
  {
    kind: "instance",
    stage: "gate",
    fault: "no CUDA where a GPU is required",
    inject: async (world) => world.configure({ gate: { gpu: "required" } }),
    outcome: "told",
    message: /FAIL driver: nvidia-smi does not work .*choose a GPU instance type or set gate\.gpu to optional/,
    inDefault: true,
  },
  {
    kind: "instance",
    stage: "gate",
    fault: "driver that is broken",
    inject: async (world) => world.configure({ gate: { gpu: "required" } }),
    act: (world) =>
      world.during("up", async () => {
        await world.until(async () => (await world.living())[0]?.status === "active");
        await world.cloud.admin.putFile(await world.instanceId(), {
          path: "/usr/local/bin/nvidia-smi",
          content:
            "#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not communicate with the driver.'\nexit 9\n",
        });
      }),
    outcome: "told",
    message: /FAIL driver: nvidia-smi does not work \(NVIDIA-SMI has failed/,
    heal: replaced,
  },
  {
    kind: "instance",
    stage: "training",
    fault: "disk full before the first step",
    inject: async (world) => {
      const { project } = world;
      const train = project.read("tiny/train.py");
      project.write("tiny/train.py", `(open("filled", "wb")).write(bytes(8_000_000))\n${train}`);
      await home(4_000_000)(world);
    },
    outcome: "told",
    message: /No space left on device/,
    heal: replaced,
  },
];
