import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { newId } from "../../state/ids";
import type { SshKeyRecord } from "../../state/model";
import { invalidParameters, notFound, quotaExceeded } from "../errors";
import { fromKeyObject, toOpenSsh } from "../public-key";
import type { Call, Handlers } from "./context";

const present = ({ id, name, publicKey }: SshKeyRecord) => ({ id, name, public_key: publicKey });

/** Makes a key pair; the private key is in the one answer alone. */
async function generate(): Promise<{ publicKey: string; privateKey: string }> {
  const pair = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const privateKey = pair.privateKey.export({ type: "pkcs1", format: "pem" }) as string;
  return { publicKey: fromKeyObject(pair.publicKey), privateKey };
}

function check(publicKey: string): void {
  try {
    toOpenSsh(publicKey);
  } catch {
    throw invalidParameters("Error in request body at 'public_key': Input should be a valid SSH public key");
  }
}

export const sshKeyHandlers: Handlers<"listSSHKeys" | "addSSHKey" | "deleteSSHKey"> = {
  listSSHKeys: ({ state }) => state.sshKeys.map(present),

  addSSHKey: async (call: Call<{ name: string; public_key?: string }>) => {
    const { state, body } = call;
    if (body.public_key !== undefined) check(body.public_key);
    const made = body.public_key === undefined ? await generate() : undefined;
    // Checked after the pause above, so that two calls at once cannot both pass.
    if (state.sshKeys.some((key) => key.name === body.name))
      throw invalidParameters(`SSH key name must be unique: ${body.name} is taken.`);
    if (state.sshKeys.length >= state.settings.quota.sshKeys) throw quotaExceeded();
    const record: SshKeyRecord = { id: newId(), name: body.name, publicKey: body.public_key ?? made?.publicKey ?? "" };
    state.sshKeys.push(record);
    call.audit("ssh_key", "created", [record.id]);
    return { ...present(record), ...(made && { private_key: made.privateKey }) };
  },

  deleteSSHKey: (call) => {
    const index = call.state.sshKeys.findIndex((key) => key.id === call.id);
    if (index < 0) throw notFound();
    call.state.sshKeys.splice(index, 1);
    call.audit("ssh_key", "deleted", [call.id]);
    return {};
  },
};
