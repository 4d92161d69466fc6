import { expect } from "vitest";
import type { FaultCase } from "../case";
import { atStage, killBelow, type Moment, slowly, started, withBulk, withLateFirstStep } from "../moments";
import type { World } from "../world";

/** Processes of an update besides the CLI, by what stands in their command lines. */
const plugins = {
  "the language host": "pulumi-language-nodejs",
  "the program": "@pulumi/pulumi/cmd/run",
  "the provider of the instance": "dynamic-provider",
  "the provider of commands": "plugins/command/",
} as const;

type Plugin = keyof typeof plugins;

/** A process that is killed at a moment. */
const killed = (
  plugin: Plugin,
  moment: Moment,
  rest: Pick<FaultCase, "stage" | "message"> & Partial<FaultCase>,
): FaultCase => ({
  kind: "local",
  fault: `${plugin} is killed`,
  inject: async () => {},
  act: (world: World) => atStage(world, moment, (pid) => killBelow(pid, plugins[plugin])),
  outcome: "told",
  ...rest,
});

const lateLaunch: FaultCase["inject"] = ({ cloud }) =>
  cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 2500 } });

const oneInstance: FaultCase["after"] = async (world) => {
  await world.fine(world.up());
  expect(world.memory.seen.size).toBe(1);
};

/** Processes that serve an update, killed one by one. */
export const killedPluginCases: readonly FaultCase[] = [
  killed("the language host", "launch", {
    stage: "launch",
    message: /language|exited|EOF|killed/,
    inject: lateLaunch,
    after: oneInstance,
  }),
  killed("the program", "launch", {
    stage: "launch",
    message: /exit|kill|terminated/,
    inject: lateLaunch,
    after: oneInstance,
  }),
  killed("the provider of the instance", "launch", {
    stage: "launch",
    message: /EOF|closing|reset|refused|exited|Unavailable/i,
    inject: lateLaunch,
    after: oneInstance,
  }),
  killed("the provider of the instance", "upload", {
    stage: "upload",
    message: /EOF|closing|reset|refused|exited|Unavailable/i,
    inject: async (world) => {
      withBulk(world, "tiny/model.bin", 200_000);
      await slowly(world, 60_000);
    },
    after: oneInstance,
  }),
  killed("the provider of commands", "setup", {
    stage: "setup",
    message: /EOF|closing|reset|refused|exited|Unavailable/i,
    inject: async ({ project }) =>
      project.write("tiny/scripts/lambda_setup.sh", "#!/bin/bash\necho >> ~/setups\nsleep 4\n", 0o755),
    after: async (world) => {
      await world.fine(world.up());
      expect(await world.onInstance("wc -l < setups")).toBe("1\n");
    },
    heal: async () => {},
  }),
  killed("the provider of the instance", "training", {
    stage: "training",
    message: /EOF|closing|reset|refused|exited|Unavailable/i,
    inject: withLateFirstStep,
    after: async (world) => {
      await world.fine(world.up());
      expect(await world.onInstance("wc -l < starts")).toBe("1\n");
    },
    heal: async () => {},
  }),
  killed("the provider of the instance", "download", {
    stage: "download",
    message: /EOF|closing|reset|refused|exited|Unavailable/i,
    before: started,
    inject: (world) => slowly(world, 20_000),
    after: async (world) => {
      // The results are not home, so the instance lives.
      await world.instanceId();
    },
    heal: async ({ cloud }) => cloud.admin.removeAllFaults(),
  }),
];
