import { askedDate } from "../../lambda/api/date";
import { atMost, inTurnBy } from "../../local/at-most";
import { megabytes } from "../../local/folder/progress";
import { walkAll, walkCode } from "../../local/folder/walk";
import { hashFolder, ownPaths } from "../../local/paths";
import { tellTime } from "../../remote/clock";
import { hasEnded } from "../../remote/run";
import { uploadName } from "../../remote/scripts";
import { runsThere } from "../../remote/standing";
import type { IntoCache } from "../../remote/transfer/cache";
import { uploadRepositories } from "../../remote/transfer/repositories";
import { uploadArchive, uploadTree } from "../../remote/transfer/upload";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { type Giver, giverWithIt, tellUpload } from "./pass-on";
import { localPath, look, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly endpoint?: string;
  readonly kind: "code" | "folder" | "archive";
  readonly source: string;
  readonly target: string;
  readonly extraFiles?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly cache?: IntoCache;
  readonly giver?: Giver;
  readonly protectedPaths?: readonly string[];
  readonly hash: string;
  readonly repository?: string;
}

/** A hundred at once would share the line and this machine's memory, so that even the first machine would wait for long. */
const inTurn = atMost(8);

/** Into one cache one after another: the first fills it for all, and those that wait hold up no other upload. */
const intoCache = inTurnBy();

async function upload(inputs: Inputs, context: HandlerContext): Promise<void> {
  const { cache } = inputs;
  if (cache === undefined) return tellUpload(inputs, () => uploadOrPassOn(inputs, context));
  await intoCache(
    cache.root,
    () => {
      context.interrupted.throwIfAborted();
      return uploadInTurn(inputs, undefined, context);
    },
    { name: cache.by, onWait: (by) => context.status(`waiting for ${by} to fill the cache`) },
  );
}

async function uploadOrPassOn(inputs: Inputs, context: HandlerContext): Promise<void> {
  // Outside of the turn: the upload that it waits for needs one.
  const giver = await giverWithIt(inputs, context);
  await uploadInTurn(inputs, giver, context);
}

async function uploadInTurn(inputs: Inputs, giver: string | undefined, context: HandlerContext): Promise<void> {
  context.status("waiting for other uploads");
  await inTurn(() => {
    context.interrupted.throwIfAborted();
    return uploadNow(inputs, giver, context);
  });
}

/** @param giver Machine that has it */
async function uploadNow(inputs: Inputs, giver: string | undefined, context: HandlerContext): Promise<void> {
  const { progress, status } = context;
  const { access, kind, source, target, extraFiles, files, cache, protectedPaths, hash } = inputs;
  const local = localPath(source);
  if (kind === "archive") {
    const { sentBytes, seconds } = await uploadArchive(access, {
      localArchive: local,
      remotePath: target,
      sha256: hash,
      cache,
      giver,
      onProgress: progress,
      onStatus: status,
    });
    if (cache !== undefined && sentBytes === 0)
      return progress(`${cache.root}: already in the cache, nothing was sent`);
    return progress(`${target}: sent ${megabytes(sentBytes)} MB in ${seconds.toFixed(1)} s`);
  }
  status("reading", source);
  const reads = { hashFolder: hashFolder(), onReading: (detail: string) => status("reading", detail) };
  const [tree] =
    kind === "code"
      ? await Promise.all([
          walkCode(local, { ...reads, extraFiles, broughtFiles: ownPaths(files), protectedPaths }),
          // Before anything starts there that has a limit in time.
          tellDate(inputs, context),
        ])
      : // The plan has looked at it. What changes before it is sent is not as planned, and refused by its checksum.
        [await walkAll(local, { ...reads, hash })];
  const sent = await uploadTree(access, {
    tree,
    remoteRoot: target,
    name: uploadName(target),
    cache,
    giver,
    protectedPaths,
    onProgress: progress,
    onStatus: status,
  });
  if (cache !== undefined && sent.sentFiles === 0) {
    return progress(`${target}: already in the cache, nothing was sent`);
  }
  const removed = sent.removed > 0 ? `, removed ${sent.removed}` : "";
  progress(
    `${target}: sent ${sent.sentFiles} files, ${megabytes(sent.sentBytes)} MB in ${sent.seconds.toFixed(1)} s${removed}`,
  );
}

async function tellDate({ access, endpoint }: Inputs, context: HandlerContext): Promise<void> {
  const now = await askedDate(connect(endpoint, context));
  await look(access, (session) => tellTime(session, now));
}

/**
 * Lets the code there know its commit, unless a run goes on: under that, nothing changes.
 * @param before What it knows until now; undefined for nothing.
 * @returns what it knows from now on.
 */
async function tellCommit(
  { access, kind, source, target, extraFiles = {}, protectedPaths, repository }: Inputs,
  before: string | undefined,
  { progress, status }: HandlerContext,
): Promise<string | undefined> {
  if (kind !== "code" || repository === undefined) return before;
  const runs = await look(access, runsThere);
  if (runs.some(({ state }) => !hasEnded(state))) return before;
  await uploadRepositories(access, {
    folder: localPath(source),
    workspace: target,
    name: uploadName(target),
    protectedPaths,
    replaced: Object.keys(extraFiles),
    onProgress: progress,
    onStatus: status,
  });
  return repository;
}

/** Whether the code there is to know another commit. What an earlier release has put there knows none, and stays so. */
function knowsAnother(olds: Inputs, news: Inputs): boolean {
  const isAsked = olds.repository !== undefined && news.repository !== undefined;
  return isAsked && olds.repository !== news.repository;
}

/** Life of an upload: what changed goes to the instance; deletion leaves it there, since the instance goes as well. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) => {
    const diff = diffByName(olds, news, {
      replace: ["instanceId", "kind", "target"],
      // Not the source: the same content from another folder is the same.
      update: ["hash", "access", "protectedPaths"],
    });
    return { ...diff, changes: diff.changes || knowsAnother(olds, news) };
  },
  create: async (inputs, context) => {
    await upload(inputs, context);
    const repository = await tellCommit(inputs, undefined, context);
    return { id: `${inputs.instanceId}:${inputs.target}`, outs: { ...inputs, repository } };
  },
  update: async (_id, olds, news, context) => {
    const isChanged = olds.hash !== news.hash;
    if (isChanged) await upload(news, context);
    const tells = isChanged || knowsAnother(olds, news);
    return { ...news, repository: tells ? await tellCommit(news, olds.repository, context) : olds.repository };
  },
};
