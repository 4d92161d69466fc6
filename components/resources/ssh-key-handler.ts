import { bareKey, keyComment } from "../../lambda/account/key-line";
import { stateOrigin } from "../../lambda/account/state-origin";
import type { Cloud } from "../../lambda/api/connect";
import { isKind } from "../../lambda/api/errors";
import type { SshKey } from "../../lambda/api/schemas";
import { createdOrFound } from "../../lambda/life/unclear";
import { Failures, isText } from "../dynamic/checks";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler } from "../dynamic/handler";
import { hasUnknown } from "../dynamic/unknown";
import { type Connect, connect } from "./cloud";

interface SshKeyInputs {
  readonly name: string;
  readonly publicKey: string;
  readonly endpoint?: string;
}

/** The life of a ssh key. */
export function sshKeyHandler(connectTo: Connect): DynamicHandler<SshKeyInputs, SshKeyInputs> {
  return {
    check: (news) => {
      const failures = new Failures();
      failures.require("name", news.name, (name) => isText(name, 1, 64), "must have 1 to 64 characters");
      const isLine = (key: string): boolean => isText(key, 1, 4096) && /^[\w@.-]+ [\w+/]+=*( [^\r\n]*)?\s*$/.test(key);
      failures.require("publicKey", news.publicKey, isLine, "must be a public key as one OpenSSH line");
      return { inputs: news, failures: failures.list };
    },
    diff: (_id, olds, news) => {
      const diff = diffByName(olds, news, { replace: ["name", "endpoint", "publicKey"] });
      const same = !hasUnknown(news.publicKey) && sameKey(olds.publicKey, news.publicKey);
      const replaces = diff.replaces?.filter((name) => !(same && name === "publicKey")) ?? [];
      return { ...diff, replaces, changes: replaces.length > 0 };
    },
    create: async (inputs, context) => {
      const { name, publicKey, endpoint } = inputs;
      const cloud = connectTo(endpoint, context);
      const key = (await named(cloud, inputs)) ?? (await add(cloud, inputs));
      return { id: key.id, outs: { name, publicKey, endpoint } };
    },
    read: async (id, props, context) => {
      const key = (await connectTo(props.endpoint, context).client.listSshKeys()).find((each) => each.id === id);
      if (key === undefined) return undefined;
      const known = props.publicKey !== undefined && sameKey(props.publicKey, key.publicKey);
      const found = { name: key.name, publicKey: known ? props.publicKey : key.publicKey, endpoint: props.endpoint };
      return { id, props: found, inputs: found };
    },
    delete: async (id, props, context) => {
      try {
        await connectTo(props.endpoint, context).client.deleteSshKey(id);
      } catch (error) {
        if (!isKind(error, "not-found")) throw error;
      }
    },
  };
}

function add(cloud: Cloud, inputs: SshKeyInputs): Promise<SshKey> {
  const { name, publicKey } = inputs;
  return createdOrFound(
    cloud,
    () => cloud.client.addSshKey({ name, publicKey: keyLine(publicKey) }),
    () => named(cloud, inputs),
  );
}

/** The account's key of this name. Throws where it is another key. */
async function named(cloud: Cloud, { name, publicKey }: SshKeyInputs): Promise<SshKey | undefined> {
  const keys = (await cloud.client.listSshKeys()).filter((key) => key.name === name);
  const same = keys.find((key) => sameKey(key.publicKey, publicKey));
  if (same === undefined && keys[0] !== undefined) {
    throw new Error(
      `SSH key ${name} exists in the account (id ${keys[0].id}) with another public key. The stack doesn't touch it. ` +
        "If nothing uses it, delete it at https://cloud.lambda.ai and run again.",
    );
  }
  return same;
}

/** A key has no tags: its comment says where the state is kept that knows it. */
function keyLine(publicKey: string): string {
  const origin = stateOrigin();
  return origin === undefined ? publicKey : [bareKey(publicKey), keyComment(origin)].join(" ");
}

/** Equality of type and key; the comment does not matter. */
function sameKey(a: string, b: string): boolean {
  return bareKey(a) === bareKey(b);
}

export const handler = sshKeyHandler(connect);
