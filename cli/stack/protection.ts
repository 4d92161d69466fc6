import { CommandError } from "../terminal/command";
import { stackFileConfig } from "./pulumi";

interface Protectable {
  readonly urn: string;
  readonly protect?: boolean;
  /** Replaced already, and about to be deleted. */
  readonly delete?: boolean;
}

/**
 * Refuses to destroy a stack of which something is protected. The engine would refuse as well, but without a preview only
 * after it has deleted the rest.
 * @param exported As `pulumi stack export` prints it.
 * @throws CommandError that names what is protected, and how to lift that
 */
export function refuseProtected(stack: string, exported: string): void {
  const { deployment } = JSON.parse(exported) as { deployment?: { resources?: readonly Protectable[] } };
  const found = (deployment?.resources ?? []).filter((each) => each.protect === true && each.delete !== true);
  if (found.length === 0) return;
  const isConfigured = stackFileConfig(stack).protect === "true";
  const lasting = isConfigured
    ? "The stack's file has `lambda-train:protect`, so each `up` protects the instances again: remove it there for good.\n"
    : "";
  const lines = found.map(({ urn }) => `  ${nameOf(urn)}: npm run pulumi -- state unprotect '${urn}' --stack ${stack}`);
  throw new CommandError(
    `Nothing of stack ${stack} was destroyed or changed: ${found.length} of its resources are protected. ` +
      `To unprotect them:\n${lines.join("\n")}\n${lasting}` +
      `Or all at once: npm run pulumi -- state unprotect --all --stack ${stack}. Then run this again.`,
  );
}

function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
