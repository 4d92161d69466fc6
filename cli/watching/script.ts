import { resolve } from "node:path";
import { restartVariable } from "../../plan/standing";
import { downVariable } from "../../plan/when-done";
import { shellQuote } from "../../remote/quote";
import { loseResultsVariable } from "../../remote/results";

/** What a scheduled watch runs. */
export interface WatchScript {
  readonly node: string;
  /** Path of what runs commands. */
  readonly bootstrap: string;
  readonly project: string;
  /** Arguments of `watch`. */
  readonly args: readonly string[];
  /** More variables that it needs, by name. */
  readonly needs?: readonly string[];
  /** File that gets what it prints. Absent: systemd's journal does. */
  readonly log?: string;
}

/** The variables on which commands, the engine, its backends and the ways to Lambda depend. */
const wanted =
  /^(HOME|PATH|USER|LOGNAME|LANG|LC_\w+|TZ|XDG_(CACHE|CONFIG|DATA|STATE)_HOME|(https?|all|no)_proxy|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|LAMBDA_\w+|PULUMI_\w+|AWS_\w+|AZURE_\w+|GOOGLE_\w+|CLOUDSDK_\w+)$/i;

/** What somebody has set for one command alone. */
const unwanted: readonly string[] = [
  ...[restartVariable, downVariable, loseResultsVariable],
  ...["PULUMI_STACK", "LAMBDA_TRAIN_BUILT"],
];

/** Bytes from which a log begins anew. One before it stays. */
const mostLog = 1_000_000;

/** A shell script with all that a scheduler's bare environment lacks. It may hold secrets. */
export function watchScript(
  { node, bootstrap, project, args, needs = [], log }: WatchScript,
  env: NodeJS.ProcessEnv,
): string {
  const chosen = Object.entries(env).flatMap(([name, value]) => {
    const isChosen = (wanted.test(name) || needs.includes(name)) && !unwanted.includes(name);
    if (!isChosen || value === undefined) return [];
    // A relative path counts from where the command was typed.
    return [[name, name === "PULUMI_CONFIG_PASSPHRASE_FILE" ? resolve(value) : value] as const];
  });
  const words = [node, bootstrap, "watch", ...args].map(shellQuote).join(" ");
  const rotated =
    log === undefined
      ? []
      : [`log=${shellQuote(log)}`, `[ "$(wc -c <"$log" 2>/dev/null || echo 0)" -lt ${mostLog} ] || mv "$log" "$log.1"`];
  return [
    "# Written by `npm run watch -- --install`. It may hold keys: it is for you alone.",
    ...chosen.map(([name, value]) => `export ${name}=${shellQuote(value)}`),
    `cd ${shellQuote(project)} || exit 1`,
    ...rotated,
    `exec ${words}${log === undefined ? "" : ' >>"$log" 2>&1'}`,
    "",
  ].join("\n");
}
