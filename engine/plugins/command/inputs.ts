import type { Shape } from "../protocol/shape";

/** Which of the command's output is shown while it runs. */
export type Logging = "stdout" | "stderr" | "stdoutAndStderr" | "none";

/** Inputs of a command, beside where it runs. */
export const commandInputs: Shape = {
  addPreviousOutputInEnv: { kind: "boolean", default: true },
  create: { kind: "string" },
  delete: { kind: "string" },
  logging: { kind: "string", oneOf: ["stdout", "stderr", "stdoutAndStderr", "none"] },
  stdin: { kind: "string" },
  triggers: { kind: "array", replace: true },
  update: { kind: "string" },
};

const endpoint: Shape = {
  agentSocketPath: { kind: "string" },
  dialErrorLimit: { kind: "integer", minimum: -1, default: 10 },
  host: { kind: "string", required: true },
  hostKey: { kind: "string" },
  password: { kind: "string" },
  perDialTimeout: { kind: "integer", minimum: 0, default: 15 },
  port: { kind: "number", default: 22 },
  privateKey: { kind: "string" },
  privateKeyPassword: { kind: "string" },
  user: { kind: "string", default: "root" },
};

/** `ConnectionArgs` of the published SDK. */
export const connectionInputs: Shape = { ...endpoint, proxy: { kind: endpoint } };

/** A checked endpoint: defaults are filled in. */
export interface Endpoint {
  /** Path of an SSH agent's socket; without it, $SSH_AUTH_SOCK. Used where there is no private key. */
  readonly agentSocketPath?: string;
  /** Failed attempts before giving up; -1 never gives up. */
  readonly dialErrorLimit: number;
  readonly host: string;
  /** `type base64` as in authorized_keys. Absent: any host key is taken. */
  readonly hostKey?: string;
  readonly password?: string;
  /** Seconds for the TCP connection of one attempt; 0 means no limit. */
  readonly perDialTimeout: number;
  readonly port: number;
  readonly privateKey?: string;
  readonly privateKeyPassword?: string;
  readonly user: string;
}

export interface Connection extends Endpoint {
  readonly proxy?: Endpoint;
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
