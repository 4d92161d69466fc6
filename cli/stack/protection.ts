import { stackConfigSchema } from "../../plan/stack-config";
import { CommandError } from "../terminal/command";
import { currentState } from "./backups";
import { stackFileConfig } from "./pulumi";

interface Protectable {
  readonly urn: string;
  readonly id?: string;
  readonly protect?: boolean;
  /** Replaced already, and about to be deleted. */
  readonly delete?: boolean;
}

/**
 * Refuses to destroy a stack of which something is protected. The engine would refuse as well, but without a preview only
 * after it has deleted the rest.
 * @param exported As `pulumi stack export` prints it.
 * @param staying Ids of instances that stay anyway, where only a part of the stack is to end.
 * @throws CommandError that names what is protected, and how to lift that
 */
export function refuseProtected(stack: string, exported: string, staying: readonly (string | undefined)[] = []): void {
  const found = protectedIn(exported).filter(({ id }) => id === undefined || !staying.includes(id));
  if (found.length === 0) return;
  const lasting = isProtectConfigured(stack)
    ? "The stack's file has `lambda-train:protect`, so each `up` protects the instances again: remove it there for good.\n"
    : "";
  const lines = found.map(({ urn }) => `  ${nameOf(urn)}: npm run pulumi -- state unprotect '${urn}' --stack ${stack}`);
  throw new CommandError(
    `Nothing of stack ${stack} was destroyed or changed: ${found.length} of its resources are protected. ` +
      `To unprotect them:\n${lines.join("\n")}\n${lasting}` +
      `Or all at once: npm run pulumi -- state unprotect --all --stack ${stack}. Then run this again.`,
  );
}

/** Whether the stack's configuration protects its instances. */
export function isProtectConfigured(stack: string): boolean {
  return stackConfigSchema.shape.protect.safeParse(stackFileConfig(stack).protect).data === true;
}

/** What a stack has that is protected, and how to lift that, in words. undefined: nothing, or it can't be read. */
export async function protectionOf(stack: string): Promise<{ what: string; lift: string } | undefined> {
  const found = protectedIn(await currentState(stack).catch(() => "{}"));
  if (found.length === 0) return undefined;
  const lift = isProtectConfigured(stack)
    ? `set \`lambda-train:protect\` to false and run \`npm run up -- --stack ${stack}\``
    : `run \`npm run pulumi -- state unprotect --all --stack ${stack}\``;
  const names = found.map(({ urn }) => nameOf(urn));
  return { what: `${names.join(", ")} ${found.length === 1 ? "is" : "are"} protected`, lift };
}

/**
 * Arguments of an `up`, or of the destroy of a part, with a preview where something of the stack is protected. Without one,
 * the engine refuses to end that only after it has ended the run on it and deleted what stands on it.
 */
export async function previewedIfProtected(stack: string, args: readonly string[]): Promise<readonly string[]> {
  const others = args.filter((arg) => arg !== "--skip-preview" && arg !== "-f");
  return others.length < args.length && (await protectionOf(stack)) !== undefined ? others : args;
}

function protectedIn(exported: string): readonly Protectable[] {
  const { deployment } = JSON.parse(exported) as { deployment?: { resources?: readonly Protectable[] } };
  return (deployment?.resources ?? []).filter((each) => each.protect === true && each.delete !== true);
}

function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
