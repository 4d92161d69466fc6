import * as pulumi from "@pulumi/pulumi";
import type { StandingPlan } from "../../../plan/standing";
import type { Job } from "../../../plan/types";
import { type Answer, Mocks } from "../../support/mocks";

/** Private keys as the mocked key pairs have them: no input may hold them in clear, and no output of the stack. */
export const privateKeyText = "PRIVATE KEY OF";

/** What Lambda and the instance would answer. Claims answer with names of their own, to tell who uses them. */
export const answers: Answer = (type, name, inputs) => {
  switch (type.replace("pulumi-nodejs:dynamic/lambda-train:", "")) {
    case "random:index/randomId:RandomId":
      return { hex: `${inputs.prefix}0a1b2c3d` };
    case "Claim":
      return { name: "name-of-the-claim" };
    case "LaunchClaim":
      return { name: "name-of-the-launch-claim" };
    case "SshKey":
      return { name: "name-of-the-ssh-key" };
    case "KeyPair":
      return { publicKey: `ssh-ed25519 ${name}`, privateKey: `${privateKeyText} ${name}`, fingerprint: "SHA256:x" };
    case "Instance":
      return { instanceType: "gpu_1x_a10", region: "us-west-1", pricePerHour: 1.29 };
    case "Boot":
      return { ip: "203.0.113.9", sshPort: 22, user: "ubuntu" };
    case "Results":
      return { folder: "results/test/exp" };
    case "Run":
      return { state: "running", logPath: "/home/ubuntu/log" };
    case "Evaluation":
      return { state: "done", metrics: { "metrics/evaluation.json": { score: 0.5 } } };
    case "command:remote:Command":
      return { stdout: "ok disk: 5 GiB free", stderr: "" };
    default:
      return {};
  }
};

/** How to reach the instance in tests of what works on it. */
export const access = {
  host: "203.0.113.9",
  port: 22,
  user: "ubuntu",
  privateKey: privateKeyText,
  hostKey: "ssh-ed25519 host",
};

/** Mocks in which cloud and instance answer. `inForce`: changes of the plan that is in force, from the one asked for. */
export function startMocks(
  options: { readonly preview?: boolean; readonly inForce?: (plan: StandingPlan) => StandingPlan } = {},
): Promise<Mocks> {
  const { inForce } = options;
  const answer: Answer = (type, name, inputs) =>
    type.endsWith(":Standing") && inForce !== undefined && "plan" in inputs
      ? { plan: pulumi.secret(inForce(pulumi.runtime.unwrapRpcSecret(inputs.plan) as StandingPlan)) }
      : answers(type, name, inputs);
  return Mocks.start(answer, options);
}

/** The plan of a test with a dataset, an evaluation and a dashboard added. */
export function wholePlan(plan: Job): Job {
  return {
    ...plan,
    dataset: {
      source: { kind: "folder", path: "/nowhere/data" },
      target: "data",
      splits: ["train"],
      hash: "d1",
    },
    evaluation: { command: "make evaluate", checkpoint: "best*", metrics: "*.json", timeoutSeconds: 60 },
    dashboard: { command: "make dashboard", port: 8501 },
  };
}
