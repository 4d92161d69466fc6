import type { Shape } from "../protocol/shape";

/** Which of the command's output is shown while it runs. */
export type Logging = "stdout" | "stderr" | "stdoutAndStderr" | "none";

/** Inputs of a command, beside its environment. */
export const commandInputs: Shape = {
  addPreviousOutputInEnv: { kind: "boolean", default: true },
  create: { kind: "string" },
  delete: { kind: "string" },
  logging: { kind: "string", oneOf: ["stdout", "stderr", "stdoutAndStderr", "none"] },
  stdin: { kind: "string" },
  triggers: { kind: "array", replace: true },
  update: { kind: "string" },
};

const refused = "not served here: the stack logs in to its instance itself, with the stack's own key";

/** `ConnectionArgs` of the published SDK. */
export const connectionInputs: Shape = {
  agentSocketPath: { kind: "string", refused },
  dialErrorLimit: { kind: "integer", minimum: -1, default: 10 },
  host: { kind: "string", required: true },
  hostKey: { kind: "string" },
  password: { kind: "string", refused },
  perDialTimeout: { kind: "integer", minimum: 0, default: 15 },
  port: { kind: "number", default: 22 },
  privateKey: { kind: "string" },
  privateKeyPassword: { kind: "string", refused },
  proxy: { kind: {}, refused },
  user: { kind: "string", default: "root" },
};

/** A checked connection: defaults are filled in. */
export interface Connection {
  /** Failed attempts before giving up; -1 never gives up. */
  readonly dialErrorLimit: number;
  readonly host: string;
  /** `type base64` as in authorized_keys. Absent: any host key is taken. */
  readonly hostKey?: string;
  /** Seconds for the TCP connection of one attempt; 0 means no limit. */
  readonly perDialTimeout: number;
  readonly port: number;
  readonly privateKey?: string;
  readonly user: string;
}

/** The inputs, checked. */
export interface CommandInputs {
  readonly connection: Connection;
  readonly addPreviousOutputInEnv?: boolean;
  readonly create?: string;
  readonly delete?: string;
  readonly logging?: Logging;
  readonly stdin?: string;
  readonly update?: string;
}

/** Outputs of a command beside its inputs. */
export interface CommandOutputs {
  readonly stdout?: string;
  readonly stderr?: string;
}

/** The environment that tells a command what its predecessor printed. */
export function previousOutput(inputs: CommandInputs, olds: CommandOutputs): { [name: string]: string } {
  if (inputs.addPreviousOutputInEnv === false) return {};
  return {
    ...(olds.stdout ? { PULUMI_COMMAND_STDOUT: olds.stdout } : {}),
    ...(olds.stderr ? { PULUMI_COMMAND_STDERR: olds.stderr } : {}),
  };
}
