import { stringify } from "yaml";
import { configNamespace } from "../namespace";
import { slug } from "./experiment";

/** Folder of a project for experiment files. */
export const experimentsFolder = "lambda-train";

/** A Pulumi.yaml that runs the installed package. Its name is the repository's, for a backend keeps states by it. */
export function projectFile(repository: string, program: string): string {
  return stringify({
    name: slug(repository),
    description: "Training runs on Lambda Cloud",
    main: program,
    runtime: { name: "nodejs", options: { typescript: false } },
  });
}

/** A stack's file for a real account, with a budget. */
export function stackFile(experiment: string): string {
  const key = (name: string): string => `  ${configNamespace}${name}`;
  return `# A stack on a real Lambda account. The key comes from LAMBDA_API_KEY.
config:
${key("experiment")}: ${experiment}
  # Tried in this order.
${key("instanceTypes")}: [gpu_1x_a10, gpu_1x_a100_sxm4]
${key("regions")}: [us-west-1, us-east-1]
  # \`up\` refuses to launch if expected hours × price is over the budget, and the run stops when it is spent.
${key("expectedHours")}: "3"
${key("budgetDollars")}: "10"
`;
}

/** Lines that a .gitignore lacks of those that keep a project's own files out of git and of the upload. */
export function missingRules(ignored: string): string[] {
  const there = ignored.split(/\r?\n/).map((line) => line.trim().replace(/^\/|\/$/g, ""));
  return ["node_modules/", ".local/", "/results/"].filter((rule) => !there.includes(rule.replace(/^\/|\/$/g, "")));
}

/** The workflow for a project in a folder of its repository. */
export function workflowFile(template: string, folder: string, stack: string): string {
  return template.replaceAll("__FOLDER__", folder).replaceAll("__STACK__", stack);
}
