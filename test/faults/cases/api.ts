import type { FaultCase } from "../case";

export const apiCases: readonly FaultCase[] = [
  {
    kind: "api",
    stage: "launch",
    fault: "launchInstance answered 429 as the edge does, once",
    inject: (world) =>
      world.cloud.admin.addApiFault({
        match: { operation: "launchInstance" },
        times: 1,
        action: { answer: "rate-limited" },
      }),
    outcome: "ridden out",
    inDefault: true,
  },
  {
    kind: "api",
    stage: "launch",
    fault: "launchInstance answered 403 by the edge",
    inject: (world) =>
      world.cloud.admin.addApiFault({ match: { operation: "launchInstance" }, action: { answer: "blocked" } }),
    outcome: "told",
    message: /an answer that is not the API's \(403\)/,
  },
];
