import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import { secretsOf } from "./secrets";

/** What the stack itself sets, or must never reach an instance. */
const notOurs = /^(LAMBDA_TRAIN_.*|PATH|HOME|USER|SHELL|BASH_ENV|ENV|LD_.*|PYTHONPATH)$/;

/** What is shown of a value that stands where it must not. */
const hidden = "…";

/** What is wrong with the names of an experiment's secrets, and with what refers to them. */
export function secretProblems({ environment, train, workload, dataset }: Experiment): Problem[] {
  const secrets = secretsOf(environment.secrets);
  const names = secrets.map((secret) => secret.name);
  const field = "environment.secrets";
  const problems: Problem[] = [
    ...credentialsProblem("workload.source", workload.source),
    ...credentialsProblem("dataset.source", dataset?.source ?? ""),
  ];
  for (const [at, value] of names.entries()) {
    if (names.indexOf(value) !== at) problems.push({ field, value, message: "is named twice", next: "Name it once" });
    if (value === "LAMBDA_API_KEY") {
      const message = "the key of your Lambda account never goes to an instance";
      problems.push({ field, value, message, next: "To let the instance end itself, set selfTerminate" });
    } else if (notOurs.test(value)) {
      const message = "is a variable of the shell or of the stack, and can't be a secret";
      problems.push({ field, value, message, next: "Name another variable, as HF_TOKEN" });
    }
  }
  for (const [section, variables] of [
    ["environment.variables", environment.variables],
    ["train.variables", train.variables],
  ] as const) {
    for (const clear of Object.keys(variables).filter((each) => names.includes(each))) {
      const message = "is also in environment.secrets, and this file is plain text";
      problems.push({ field: `${section}.${clear}`, value: hidden, message, next: "Remove it here" });
    }
  }
  const { token, source } = dataset ?? {};
  if (token === undefined) return problems;
  const about = { field: "dataset.token", value: token };
  if (!names.includes(token)) {
    const next = `Add it: secrets: [${[...names, token].join(", ")}]`;
    problems.push({ ...about, message: "must be one of environment.secrets", next });
  }
  if (!/^(https?|hf):\/\//.test(source ?? "")) {
    const message = "is sent to the server of an https URL or a hub, and dataset.source is none";
    problems.push({ ...about, message, next: "Remove it, or give the URL of an archive" });
  }
  return problems;
}

/** What is wrong with a source whose URL holds a user, password or token. */
function credentialsProblem(field: "workload.source" | "dataset.source", source: string): Problem[] {
  const [, scheme = "", user = ""] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)@/i.exec(source) ?? [];
  // The user of an ssh address is part of the address.
  if (scheme === "" || (scheme.toLowerCase().endsWith("ssh") && !user.includes(":"))) return [];
  const shown = source.replace(/\/\/[^/?#]*@/, `//${hidden}@`);
  const next =
    field === "dataset.source"
      ? "Remove it from the URL, and revoke it. Name the token in environment.secrets, and that name in dataset.token"
      : "Remove it from the URL, and revoke it. Git asks its own credential helper (git config --global credential.helper), " +
        "which learns it at the first git ls-remote of the URL";
  const message = "holds a user, password or token, and the experiment file is plain text";
  return [{ field, value: shown, message, next }];
}
