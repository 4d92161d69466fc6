import * as pulumi from "@pulumi/pulumi";
import type { Variables } from "../../plan/types";

/**
 * A value that holds environment variables. Where there are any it is secret, so that a token among them is encrypted in
 * the state.
 */
export function withVariables<T>(variables: readonly Variables[], value: pulumi.Input<T>): pulumi.Input<T> {
  const some = variables.some((each) => Object.keys(each).length > 0);
  return some ? (pulumi.secret(value) as pulumi.Output<T>) : value;
}
