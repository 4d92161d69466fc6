import * as pulumi from "@pulumi/pulumi";
import type { Plan } from "../../plan/types";

/**
 * A value that holds the experiment's environment variables. Where there are any it is secret, so that a token among
 * them is encrypted in the state.
 */
export function withVariables<T>({ run, environment }: Plan, value: pulumi.Input<T>): pulumi.Input<T> {
  const some = Object.keys({ ...environment.variables, ...run.variables }).length > 0;
  return some ? (pulumi.secret(value) as pulumi.Output<T>) : value;
}
