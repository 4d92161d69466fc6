import * as pulumi from "@pulumi/pulumi";

/**
 * Options of a component that releases up to 0.1.0 kept directly below the stack: their states know it, and all below it,
 * without its parent of today.
 */
export function formerly(options: pulumi.ComponentResourceOptions): pulumi.ComponentResourceOptions {
  return { ...options, aliases: [{ parent: pulumi.rootStackResource }] };
}
