import { findInstanceType } from "../catalog/instance-types";
import type { Settings } from "../settings";
import type { InstanceRecord } from "../state/model";

/** Share of the boot after which the address shows: late, as on Lambda. */
export const ipShare = 0.85;

/** Cloud seconds from launch to `active`. */
export function bootSeconds({ seconds }: Settings, record: InstanceRecord): number {
  const gpus = findInstanceType(record.instanceType)?.specs.gpus ?? 0;
  if (gpus === 0) return seconds.bootCpu;
  return gpus === 1 ? seconds.bootOneGpu : seconds.bootManyGpus;
}

/** Cloud seconds that passed since a time. */
export const cloudSecondsSince = (settings: Settings, since: number, now: number): number =>
  ((now - since) / 1000) * settings.timeScale;
