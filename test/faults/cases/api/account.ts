import type { ApiAction } from "../../../../emulator/faults/model";
import type { SettingsPatch } from "../../../../emulator/settings";
import type { FaultCase, Stage } from "../../case";
import type { World } from "../../world";
import { expectNothingRented } from "../expect";

/** What the account may not, at a first `up`. */
const refusals: readonly { stage: Stage; fault: string; patch: SettingsPatch; message: RegExp }[] = [
  {
    stage: "claim",
    fault: "inactive account",
    patch: { account: { state: "inactive" } },
    message: /403 global\/account-inactive: .*add a valid payment method at https:\/\/cloud\.lambda\.ai/,
  },
  {
    stage: "claim",
    fault: "quota of SSH keys used up",
    patch: { quota: { sshKeys: 1 } },
    message: /add SSH key .*quota.* ask Lambda's support for a higher quota/,
  },
  {
    stage: "claim",
    fault: "quota of firewall rulesets used up",
    patch: { quota: { rulesets: 1 } },
    message: /create firewall ruleset .*quota.* ask Lambda's support for a higher quota/,
  },
  {
    stage: "launch",
    fault: "invalid billing address",
    patch: { account: { state: "invalid-address" } },
    message: /403 global\/invalid-address: .*Enter a valid billing address/,
  },
  {
    stage: "launch",
    fault: "quota of instances used up",
    patch: { quota: { instances: 1 } },
    message: /launch .*global\/quota-exceeded.* ask Lambda's support for a higher quota/,
  },
];

const refusalCases = refusals.map(
  ({ patch, ...rest }): FaultCase => ({
    kind: "api",
    ...rest,
    inject: ({ cloud }) => cloud.admin.patchSettings(patch),
    outcome: "told",
    after: expectNothingRented,
  }),
);

const badKey: ApiAction = {
  answer: {
    status: 401,
    body: JSON.stringify({
      error: { code: "global/invalid-api-key", message: "API key was invalid, expired, or deleted." },
    }),
  },
};

const inactive = { account: { state: "inactive" } } as const;

/** What becomes of the account or its key while a stack stands. */
const laterCases: readonly FaultCase[] = [
  {
    kind: "api",
    stage: "claim",
    fault: "API key that was deleted",
    inject: ({ cloud }) => cloud.admin.addApiFault({ match: {}, action: badKey }),
    outcome: "told",
    message: /401 global\/invalid-api-key: .*Check LAMBDA_API_KEY/,
    after: expectNothingRented,
  },
  ...(["refresh", "down"] as const).flatMap((command): FaultCase[] => {
    const stage = command === "down" ? "terminate" : command;
    const act = (world: World) => (command === "down" ? world.down() : world.refresh());
    const before = (world: World) => world.fine(world.up());
    return [
      {
        kind: "api",
        stage,
        fault: "API key that was deleted meanwhile",
        before,
        inject: ({ cloud }) => cloud.admin.addApiFault({ match: {}, action: badKey }),
        act,
        outcome: "told",
        message: /401 global\/invalid-api-key: .*Check LAMBDA_API_KEY/,
        after: (world) => world.instanceId(),
      },
      {
        kind: "api",
        stage,
        fault: "account that became inactive meanwhile",
        before,
        inject: ({ cloud }) => cloud.admin.patchSettings(inactive),
        act,
        outcome: "told",
        message: /403 global\/account-inactive/,
        after: (world) => world.instanceId(),
      },
    ];
  }),
];

/** Preview needs no cloud: it works whatever the API answers. */
const previewCases: readonly FaultCase[] = (
  [
    ["every call answered 500", { answer: "server-error" }],
    ["every call blocked by the edge", { answer: "blocked" }],
    ["every call reset", { resetBefore: true }],
    ["API key that was deleted", badKey],
  ] as const
).map(([fault, action]) => ({
  kind: "api",
  stage: "preview",
  fault,
  inject: ({ cloud }) => cloud.admin.addApiFault({ match: {}, action }),
  act: (world) => world.preview(),
  outcome: "ridden out",
  after: expectNothingRented,
  inDefault: fault === "every call reset",
}));

export const accountCases: readonly FaultCase[] = [...refusalCases, ...laterCases, ...previewCases];
