import type { GpuUse, MachineLook } from "../../remote/machine";

/** Use of a machine at one moment. Percentages from 0 to 100. */
export interface UseSample {
  /** Milliseconds since the epoch, here. */
  readonly at: number;
  /** null at the first look: it takes two. */
  readonly cpu: number | null;
  readonly memory: number;
  readonly disk: number;
  /** Of all GPUs together. null: none, or not known. */
  readonly gpu: number | null;
}

/** Use of a machine now, and how it came to it. */
export interface MachineUse {
  readonly processors: number;
  readonly memory: MachineLook["memory"];
  readonly disk: MachineLook["disk"];
  readonly gpus: readonly GpuUse[];
  readonly samples: readonly UseSample[];
}

const mostSamples = 240;

/** Adds a look to what is known of the machine's use. */
export function addLook(
  known: MachineUse | undefined,
  before: MachineLook | undefined,
  look: MachineLook,
  at: number,
): MachineUse {
  const { cpu, memory, disk, gpus } = look;
  const share = ({ totalBytes, freeBytes }: MachineLook["memory"]): number =>
    totalBytes === 0 ? 0 : (100 * (totalBytes - freeBytes)) / totalBytes;
  const sample = { at, cpu: cpuPercent(before, look), memory: share(memory), disk: share(disk), gpu: gpuPercent(gpus) };
  const samples = [...(known?.samples ?? []), sample].slice(-mostSamples);
  return { processors: cpu.count, memory, disk, gpus, samples };
}

/** Share of the time between two looks in which processors worked; undefined after a restart of the machine. */
export function cpuPercent(before: MachineLook | undefined, { cpu }: MachineLook): number | null {
  const total = cpu.totalTicks - (before?.cpu.totalTicks ?? cpu.totalTicks);
  if (before === undefined || total <= 0) return null;
  return Math.min(100, Math.max(0, (100 * (cpu.busyTicks - before.cpu.busyTicks)) / total));
}

function gpuPercent(gpus: readonly GpuUse[]): number | null {
  const known = gpus.flatMap(({ percent }) => (percent === null ? [] : [percent]));
  return known.length === 0 ? null : known.reduce((sum, percent) => sum + percent, 0) / known.length;
}
