/** Tags by key, as Lambda keeps them at an instance. */
export type Tags = Readonly<Record<string, string>>;

const ownPrefix = "lambda-train:";

/** The tag, and its value, of everything that this project launches. */
export const managedBy = { key: "managed-by", value: "lambda-train" } as const;

/** Key of the tag that holds the public host key of what this project launches. */
export const hostKeyTag = "host-key";

/** Keys of the tags by which an instance is known again. They are written at the launch and hidden from the user. */
export const ownTags = {
  /** The unique name. */
  claim: `${ownPrefix}claim`,
  /** When it was launched, ISO 8601: the API does not tell. */
  launchedAt: `${ownPrefix}launched-at`,
  /** Where the state is kept that knows it: see account/state-origin.ts. */
  state: `${ownPrefix}state`,
  /** Beginning of the user data's hash. */
  userData: `${ownPrefix}user-data`,
} as const;

/** What is known of a launch. */
export interface LaunchFacts {
  readonly name: string;
  /** ISO 8601. */
  readonly launchedAt: string;
  readonly stateOrigin?: string;
  readonly userDataSha256?: string;
}

/** Tags of a launch: the user's, and those by which an instance is known again. */
export function launchTags(facts: LaunchFacts, tags?: Tags): Tags {
  const own = {
    [ownTags.claim]: facts.name,
    [ownTags.launchedAt]: facts.launchedAt,
    [ownTags.state]: facts.stateOrigin,
    [ownTags.userData]: facts.userDataSha256?.slice(0, 32),
  };
  const known = Object.entries(own).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...tags, ...Object.fromEntries(known) };
}

/** Tags of an instance without our own; undefined where there is none. */
export function userTags(tags: Tags): Tags | undefined {
  const rest = Object.entries(tags).filter(([key]) => !isReserved(key));
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

/** Whether users may not set a tag of this key. */
export function isReserved(key: string): boolean {
  return key.startsWith("lambda-ai-") || key.startsWith(ownPrefix);
}

/** When an instance was launched by its tags, ISO 8601; undefined where they do not tell, or tell nonsense. */
export function launchedAtOf(tags: Tags): string | undefined {
  const text = tags[ownTags.launchedAt];
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) || time > Date.now() + 86_400_000 ? undefined : new Date(time).toISOString();
}
