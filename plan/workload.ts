import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, posix, resolve } from "node:path";
import { gitUrlOf } from "../local/git/url";
import { ownPaths } from "../local/paths";
import type { Experiment } from "./experiment";
import { type Checkout, checkout } from "./git";
import { isConfigMade } from "./made-by-setup";
import { nearest, PlanError, type Problem } from "./problems";
import { faultOf, scriptsOf } from "./scripts";
import { markedOverrides, nameProblems, pathProblems, sweptPaths } from "./sweep-names";
import type { MadeConfig, OverriddenConfig } from "./types";
import { uvProblems } from "./uv";
import { layOver, OverrideProblem } from "./yaml/override";
import { YamlProblem } from "./yaml/tree";

/** A workload found and checked: where it is, and which config its training reads. */
export interface FoundWorkload {
  readonly name: string;
  readonly folder: string;
  /** What was checked out, where the source is a git URL. */
  readonly commit?: string;
  readonly ref?: string;
  /** Why the ref could not be looked up where the workload comes from: it may lead to a newer commit there. */
  readonly unfetched?: string;
  /** Config path that training gets, relative to the workload; undefined where it takes none. */
  readonly config?: string;
  /** Content of that config file; undefined where setup makes it. */
  readonly configText?: string;
  /** The config, where setup makes it. */
  readonly madeConfig?: MadeConfig;
  /** The config, where overrides were laid over it. */
  readonly overriddenConfig?: OverriddenConfig;
  /** Files to upload besides the workload's own. */
  readonly extraFiles: Readonly<Record<string, string>>;
}

/**
 * Finds the workload and checks everything about it that can be checked without renting: it exists, has the make
 * targets that the commands name, and its config exists and parses.
 * @param root Folder to which a relative source refers.
 * @param cache Folder for git checkouts.
 * @throws PlanError with every problem.
 */
export function findWorkload(experiment: Experiment, root: string, cache: string): FoundWorkload {
  const { source, ref, subfolder } = experiment.workload;
  const url = gitUrlOf(source, root);
  const remote = url !== undefined;
  const got: Partial<Checkout> & Pick<Checkout, "folder"> = remote
    ? checkout(url, ref, cache)
    : { folder: resolve(root, source) };
  const folder = subfolder === undefined ? got.folder : join(got.folder, subfolder);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    const field = subfolder === undefined ? "workload.source" : "workload.subfolder";
    throw new PlanError([
      { field, value: subfolder ?? source, message: `there is no such folder (looked in ${folder})` },
    ]);
  }
  const problems: Problem[] = [];
  if (!remote && ref !== undefined) {
    problems.push({
      field: "workload.ref",
      value: ref,
      message: "a ref goes with a git URL, and workload.source is a folder",
    });
  }
  problems.push(
    ...missingTargets(experiment, folder),
    ...scriptProblems(experiment, folder),
    ...broughtProblems(experiment),
    ...nameProblems(experiment),
    ...uvProblems(experiment, folder),
  );
  if (experiment.environment.waitForDataset && experiment.dataset === undefined) {
    const message = "there is no dataset to wait for (dataset isn't set)";
    problems.push({ field: "environment.waitForDataset", value: true, message });
  }
  const config = findConfig(experiment, folder, problems);
  if (problems.length > 0) throw new PlanError(problems);
  const name = experiment.workload.name ?? nameAfter(subfolder ?? (remote ? source : folder));
  return { name, folder, commit: got.commit, ref: got.ref, unfetched: got.unfetched, ...config };
}

/** Name of the workspace after the last part of a folder or git URL. */
function nameAfter(source: string): string {
  const last =
    source
      .replace(/[/:]+$/, "")
      .split(/[/:]/)
      .at(-1) ?? "";
  const name = last.replace(/\.git$/, "").replace(/[^A-Za-z0-9._-]+/g, "-");
  return name.replace(/^[^A-Za-z0-9]+|-+$/g, "") || "workload";
}

/** Fills `{name}` placeholders of a command; `${name}` is a variable of the shell. */
export function fill(command: string, values: Readonly<Record<string, string | undefined>>): string {
  return command.replace(/(?<!\$)\{(\w+)\}/g, (whole, key: string) =>
    Object.hasOwn(values, key) ? (values[key] ?? whole) : whole,
  );
}

/** The command of `train.resume`, where that is one. */
function resumeCommand({ train: { resume } }: Experiment): string | undefined {
  return resume === "auto" ? undefined : resume;
}

function missingTargets(experiment: Experiment, folder: string): Problem[] {
  const commands: [string, string | undefined][] = [
    ["train.command", experiment.train.command],
    ["train.resume", resumeCommand(experiment)],
    ["evaluate.command", experiment.evaluate?.command],
    ["dashboard.command", experiment.dashboard?.command],
  ];
  const makefile = ["GNUmakefile", "makefile", "Makefile"]
    .map((name) => join(folder, experiment.train.directory, name))
    .find(existsSync);
  return commands.flatMap(([field, command]) => {
    const target = command?.match(/^\s*make\s+(?:-[kisjBw]\d*\s+)*([A-Za-z][\w.-]*)(?:\s|$)/)?.[1];
    if (target === undefined) return [];
    if (makefile === undefined) {
      return [
        {
          field,
          value: command,
          message: `the workload has no Makefile in ${experiment.train.directory}`,
          next: "Name the command that does it, or the folder (train.directory)",
        },
      ];
    }
    const text = readFileSync(makefile, "utf8");
    if (/^\t.*\r$/m.test(text)) {
      const name = basename(makefile);
      const message = `the ${name} has Windows line ends (CRLF), which its recipes take for part of their words`;
      return [{ field, value: command, message, next: `Convert it: sed -i 's/\\r$//' ${name}` }];
    }
    // Targets may come from included files or patterns, which only make itself can tell.
    if (/^-?s?include\s/m.test(text)) return [];
    const targets = [...text.matchAll(/^([A-Za-z][^:=\n]*?)\s*::?(?!=)/gm)].flatMap((match) =>
      (match[1] ?? "").split(/\s+/),
    );
    if (targets.includes(target)) return [];
    const meant = nearest(target, targets);
    return [
      {
        field,
        value: command,
        message: `the Makefile has no target ${target}`,
        next: meant === undefined ? "Name the command that does it" : `Did you mean ${meant}?`,
      },
    ];
  });
}

/** The script of the workload that a setup command runs; undefined where it runs none. */
export function setupScript(setup: string | null): string | undefined {
  return setup?.match(/^\s*(?:bash\s+|sh\s+)?(\.?[\w./-]+\.sh)(\s|$)/)?.[1];
}

/** A setup command, with the scripts of the workload that it runs. */
function setupText(setup: string | null, folder: string): string {
  const texts = scriptsOf(setup ?? "").map(({ path }) => {
    const file = join(folder, path);
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file, "utf8") : "";
  });
  return [setup, ...texts].join("\n");
}

/** What is wrong with the scripts of the workload that commands run: what setup runs first must be there already. */
function scriptProblems(experiment: Experiment, folder: string): Problem[] {
  const { environment, train, evaluate, dashboard, gate, workload } = experiment;
  const { directory } = train;
  const commands: [field: string, command: string | null | undefined, folder?: string][] = [
    ["environment.setup", environment.setup],
    ["gate.command", gate.command],
    ["train.command", train.command, directory],
    ["train.resume", resumeCommand(experiment), directory],
    ["evaluate.command", evaluate?.command, directory],
    ["dashboard.command", dashboard?.command, directory],
  ];
  // What setup mends before the other commands run is no fault of theirs.
  const mends = /\b(?:chmod|dos2unix|sed\s+-i|tr\s+-d)\b/.test(setupText(environment.setup, folder));
  const isBrought = (path: string): boolean =>
    Object.keys(workload.files ?? {}).some((place) => path === place || path.startsWith(`${place}/`));
  return commands.flatMap(([field, command, at]) =>
    scriptsOf(command ?? "", at).flatMap((script): Problem[] => {
      if (!script.isFirst || isBrought(script.path) || (mends && field !== "environment.setup")) return [];
      const isMissing = field === "environment.setup" && !existsSync(join(folder, script.path));
      const missing = {
        message: `the workload has no ${script.path}`,
        next: "Name its setup command, or null for none",
      };
      const fault = isMissing ? missing : faultOf(folder, script);
      return fault === undefined ? [] : [{ field, value: command, ...fault }];
    }),
  );
}

/** What is wrong with files that the workload lacks and the experiment brings. */
function broughtProblems(experiment: Experiment): Problem[] {
  const { workload, dataset, train, results } = experiment;
  const kept = [posix.join(train.directory, results.outputs), ...(dataset === undefined ? [] : [dataset.target])];
  return Object.entries(ownPaths(workload.files)).flatMap(([place, path]): Problem[] => {
    const taken = kept
      .map((each) => posix.normalize(each))
      .find((each) => `${posix.normalize(place)}/`.startsWith(`${each}/`));
    const fault = !existsSync(path)
      ? { message: `there is no such file or folder (looked at ${path})` }
      : taken === undefined
        ? undefined
        : {
            message: `${taken} holds the dataset or outputs, which aren't code`,
            next: "Choose another path in the workspace",
          };
    return fault === undefined ? [] : [{ field: `workload.files.${place}`, value: workload.files?.[place], ...fault }];
  });
}

function findConfig(
  experiment: Experiment,
  folder: string,
  problems: Problem[],
): Pick<FoundWorkload, "config" | "configText" | "madeConfig" | "overriddenConfig" | "extraFiles"> {
  const { config, overrides, directory } = experiment.train;
  const swept = sweptPaths(experiment).length > 0;
  const overridden = Object.keys(overrides).length > 0 || swept;
  if (config === null) {
    if (Object.keys(overrides).length > 0)
      problems.push({
        field: "train.overrides",
        value: overrides,
        message: "there is no config file to lay them over (train.config is null)",
      });
    return { extraFiles: {} };
  }
  const path = join(folder, directory, config);
  const target = `.lambda-train/${experiment.experiment}${isJson(config) ? ".json" : ".yaml"}`;
  const isThere = existsSync(path) && statSync(path).isFile();
  if (isConfigMade(experiment, folder)) {
    const laid = overridden ? { tree: markedOverrides(experiment, undefined, isJson(config)), target } : undefined;
    return { config: laid?.target ?? config, madeConfig: { path: config, overrides: laid }, extraFiles: {} };
  }
  if (!isThere) {
    const { setup } = experiment.environment;
    problems.push({
      field: "train.config",
      value: config,
      message:
        setup === null ? "the workload has no such file" : "the workload has no such file, and setup doesn't name it",
      next: "Give its path inside the workload, or null. If setup makes it, list it in environment.makes",
    });
    return { extraFiles: {} };
  }
  const content = readFileSync(path);
  const text = content.toString("utf8");
  if (!overridden) return { config, configText: text, extraFiles: {} };
  const rendered = Buffer.from(text).equals(content)
    ? rendering(text, experiment, isJson(config), problems)
    : void problems.push({ field: "train.config", value: config, message: "overrides need a file in UTF-8" });
  if (rendered === undefined) return { extraFiles: {} };
  const overriddenConfig = { path: config, sha256: createHash("sha256").update(content).digest("hex") };
  const extraFiles = { [join(directory, target)]: rendered };
  return { config: target, configText: rendered, overriddenConfig, extraFiles };
}

/** Whether a config's name says that it is JSON. */
export function isJson(config: string): boolean {
  return /\.json$/i.test(config);
}

/** The config with the overrides laid over it; undefined where that cannot be, with the problem. */
function rendering(text: string, experiment: Experiment, json: boolean, problems: Problem[]): string | undefined {
  const { config } = experiment.train;
  try {
    problems.push(...pathProblems(experiment, text, json));
    return layOver(text, markedOverrides(experiment, text, json), json);
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const { message, next } = error;
    problems.push(
      error instanceof OverrideProblem
        ? { field: `train.overrides.${error.path}`, value: error.value, message, next }
        : { field: "train.config", value: config, message: `overrides need a YAML or JSON map: ${message}`, next },
    );
    return undefined;
  }
}
