import { askedDate } from "../../lambda/api/date";
import { megabytes } from "../../local/folder/progress";
import { walkAll, walkCode } from "../../local/folder/walk";
import { hashFolder, ownPaths } from "../../local/paths";
import { tellTime } from "../../remote/clock";
import { uploadName } from "../../remote/scripts";
import { uploadArchive, uploadTree } from "../../remote/transfer/upload";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { localPath, look, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly endpoint?: string;
  readonly kind: "code" | "folder" | "archive";
  readonly source: string;
  readonly target: string;
  readonly extraFiles?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly protectedPaths?: readonly string[];
  readonly hash: string;
}

async function upload(inputs: Inputs, context: HandlerContext): Promise<void> {
  const { progress, status } = context;
  const { access, kind, source, target, extraFiles, files, protectedPaths, hash } = inputs;
  const local = localPath(source);
  if (kind === "archive") {
    const { sentBytes, seconds } = await uploadArchive(access, {
      localArchive: local,
      remotePath: target,
      sha256: hash,
      onProgress: progress,
      onStatus: status,
    });
    return progress(`${target}: sent ${megabytes(sentBytes)} MB in ${seconds.toFixed(1)} s`);
  }
  // Before anything starts there that has a limit in time.
  if (kind === "code") {
    const now = await askedDate(connect(inputs.endpoint, context));
    await look(access, (session) => tellTime(session, now));
  }
  status("reading", source);
  const reads = { hashFolder: hashFolder(), onReading: (detail: string) => status("reading", detail) };
  const tree =
    kind === "code"
      ? await walkCode(local, { ...reads, extraFiles, broughtFiles: ownPaths(files), protectedPaths })
      : await walkAll(local, reads);
  const sent = await uploadTree(access, {
    tree,
    remoteRoot: target,
    name: uploadName(target),
    protectedPaths,
    onProgress: progress,
    onStatus: status,
  });
  const removed = sent.removed > 0 ? `, removed ${sent.removed}` : "";
  progress(
    `${target}: sent ${sent.sentFiles} files, ${megabytes(sent.sentBytes)} MB in ${sent.seconds.toFixed(1)} s${removed}`,
  );
}

/** Life of an upload: what changed goes to the instance; deletion leaves it there, since the instance goes as well. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["instanceId", "kind", "target"],
      // Not the source: the same content from another folder is the same.
      update: ["hash", "access", "protectedPaths"],
    }),
  create: async (inputs, context) => {
    await upload(inputs, context);
    return { id: `${inputs.instanceId}:${inputs.target}`, outs: inputs };
  },
  update: async (_id, olds, news, context) => {
    if (olds.hash !== news.hash) await upload(news, context);
    return news;
  },
};
