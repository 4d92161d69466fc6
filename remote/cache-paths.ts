import { posix } from "node:path";

/** Where what is known of a cache lies: beside it, as scripts/agent/cache/place.py has it. */
const besideCache = (cache: string): string => posix.join(posix.dirname(cache), `.${posix.basename(cache)}`);

/** Where the archive goes of which a cache is made. */
export const archiveOfCache = (cache: string): string => `${besideCache(cache)}/archive`;

/** Name under which the manifest of a cache's files is kept. */
export const uploadOfCache = (cache: string): string => `${besideCache(cache)}/files`;
