import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import type { HubPlace } from "./types";

/** As Hugging Face's tools write it: hf://datasets/owner/name@revision/path. */
const hubUrl =
  /^hf:\/\/datasets\/([\w.-]+\/[\w.-]+)(?:@([^@/]+))?(?:\/((?!\.{0,2}(?:\/|$))[^/\0\n]+(?:\/(?!\.{0,2}(?:\/|$))[^/\0\n]+)*))?\/?$/;

/** Whether a dataset's source lies on a hub. */
export function isHub(source: string): boolean {
  return source.startsWith("hf://");
}

/** A dataset's place on a hub; undefined where the source isn't one. */
export function hubPlace(source: string, { environment }: Pick<Experiment, "environment">): HubPlace | undefined {
  const [, repository, revision = "main", path = ""] = hubUrl.exec(source) ?? [];
  if (repository === undefined) return undefined;
  const endpoint = environment.variables.HF_ENDPOINT ?? "https://huggingface.co";
  return { endpoint: endpoint.replace(/\/$/, ""), repository, revision: revision.replaceAll("%2F", "/"), path };
}

function isHubServer(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname, username, password } = new URL(endpoint);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && /^127(\.\d{1,3}){3}$/.test(hostname));
}

/** What is wrong with a dataset on a hub. */
export function hubProblems(experiment: Experiment): Problem[] {
  const { source = "", sha256, cache } = experiment.dataset ?? {};
  if (!isHub(source)) return [];
  const place = hubPlace(source, experiment);
  const form = "hf://datasets/owner/name@revision/path";
  if (place === undefined)
    return [
      { field: "dataset.source", value: source, message: `must be ${form}`, next: "Revision and path may be left out" },
    ];
  const problems: Problem[] = [];
  if (!isHubServer(place.endpoint)) {
    const message = "must be an https URL, or http on 127.…";
    problems.push({ field: "environment.variables.HF_ENDPOINT", value: place.endpoint, message, next: "Correct it" });
  }
  if (sha256 !== undefined) {
    const message = "is of an archive, and a hub tells the checksum of each file itself";
    problems.push({ field: "dataset.sha256", value: sha256, message, next: "Remove it. Name a commit as revision" });
  }
  if (cache === "fileSystem") {
    const message = "a dataset from a hub can't be kept on a file system";
    problems.push({ field: "dataset.cache", value: cache, message, next: "Leave it out" });
  }
  return problems;
}
