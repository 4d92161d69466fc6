import { randomBytes } from "node:crypto";
import type { Operation, ResourceType } from "../protocol/resource";
import type { Shape } from "../protocol/shape";
import { Capture } from "./capture";
import { type CommandInputs, type CommandOutputs, commandInputs, previousOutput } from "./inputs";

type Printed = Required<CommandOutputs>;

/** Runs a command of a resource with what is set for it, and gives what it printed. */
export type Run<T extends CommandInputs> = (
  command: string,
  inputs: T,
  env: { [name: string]: string },
  operation: Operation,
) => Promise<Printed>;

/** A type whose create, update and delete each run a command. `more`: its inputs beside those of every command. */
export function commandType<T extends CommandInputs>(more: Shape, run: Run<T>): ResourceType {
  return {
    inputs: { ...commandInputs, ...more },
    outputs: ["stdout", "stderr"],

    async create(properties, operation) {
      const inputs = properties as unknown as T;
      const id = operation.name + randomBytes(4).toString("hex");
      if (inputs.create === undefined) return { id, outputs: { stdout: "", stderr: "" } };
      return { id, outputs: await run(inputs.create, inputs, {}, operation) };
    },

    async update(oldProperties, properties, operation) {
      const olds = oldProperties as CommandOutputs;
      const inputs = properties as unknown as T;
      const command = inputs.update ?? inputs.create;
      if (command === undefined) return { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
      return run(command, inputs, previousOutput(inputs, olds), operation);
    },

    async delete(olds, operation) {
      const inputs = olds as unknown as T;
      if (inputs.delete !== undefined) await run(inputs.delete, inputs, previousOutput(inputs, olds), operation);
    },
  };
}

/** Shows what a command prints while it runs, and gives all of it. Where it fails, the error has it. */
export async function captured(
  command: string,
  { logging }: CommandInputs,
  operation: Operation,
  execute: (capture: Capture) => Promise<void>,
): Promise<Printed> {
  const capture = new Capture(logging, operation.status);
  try {
    await execute(capture);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}: running ${JSON.stringify(command)}:\n${capture.both()}`, { cause: error });
  } finally {
    capture.end();
  }
  return { stdout: capture.text("stdout"), stderr: capture.text("stderr") };
}
