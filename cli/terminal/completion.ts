import { join } from "node:path";
import { shellQuote } from "../../remote/quote";

/** A command and the options that it takes. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  /** Long names, with the dashes. */
  readonly options: readonly string[];
}

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/**
 * Text for a shell's start-up file: the function `lambda-train`, which runs a command of the project in that folder from
 * anywhere, and the completion of its commands, options and stacks. Completing starts no process but the shell's own.
 */
export function completionFor(
  shell: Shell,
  commands: readonly CompletedCommand[],
  { project, program }: { readonly project: string; readonly program: string },
): string {
  const text = { bash, zsh, fish }[shell](
    commands,
    shellQuote(project),
    shellQuote(join(program, "engine/bootstrap.mjs")),
  );
  return `# Completion of lambda-train for ${shell}.\n${text}`;
}

function bash(commands: readonly CompletedCommand[], project: string, program: string): string {
  return `lambda-train() { node ${program} "$@"; }
${optionsOf(commands)}
_lambda_train_stacks() { (cd ${project} && for f in Pulumi.*.yaml; do f="\${f#Pulumi.}"; echo "\${f%.yaml}"; done) 2>/dev/null; }
_lambda_train() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(" ")}"
  elif [ "$before" = --stack ] || [ "$before" = -s ]; then words="$(_lambda_train_stacks)"
  else words="$(_lambda_train_options "\${COMP_WORDS[1]}")"; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _lambda_train lambda-train
`;
}

function zsh(commands: readonly CompletedCommand[], project: string, program: string): string {
  const described = commands.map(({ name, description }) => shellQuote(`${name}:${firstSentence(description)}`));
  return `lambda-train() { node ${program} "$@"; }
${optionsOf(commands)}
_lambda_train() {
  local -a names files
  if (( CURRENT == 2 )); then names=(${described.join(" ")}); _describe command names
  elif [[ $words[CURRENT-1] == (--stack|-s) ]]; then files=(${project}/Pulumi.*.yaml(N:t)); compadd -- \${\${files#Pulumi.}%.yaml}
  else compadd -- $(_lambda_train_options "$words[2]"); _files; fi
}
compdef _lambda_train lambda-train
`;
}

function fish(commands: readonly CompletedCommand[], project: string, program: string): string {
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c lambda-train -f -n __fish_use_subcommand -a ${name} -d ${fishQuote(firstSentence(description))}`,
    ...options
      .filter((option) => option !== "--stack")
      .map((option) => `complete -c lambda-train -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
  ]);
  return `function lambda-train; node ${program} $argv; end
function __lambda_train_stacks; for f in ${project}/Pulumi.*.yaml; string replace -r '.*/Pulumi\\.(.*)\\.yaml$' '$1' $f; end; end
complete -c lambda-train -x -l stack -s s -a '(__lambda_train_stacks)'
${lines.join("\n")}
`;
}

function optionsOf(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options }) => `    ${name}) echo ${options.join(" ")} ;;`);
  return `_lambda_train_options() {\n  case "$1" in\n${cases.join("\n")}\n  esac\n}`;
}

function firstSentence(text: string): string {
  return (text.split(/[.:;](\s|$)/)[0] ?? "").replaceAll("`", "");
}

function fishQuote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
