import { utils } from "ssh2";
import { expect, it } from "vitest";
import { newEd25519 } from "../../lambda/account/ed25519";

it("makes no pair that cannot be read again, however often (ssh2 makes one in 256)", { timeout: 60_000 }, () => {
  for (let i = 0; i < 1500; i++) {
    const { publicKey, privateKey } = newEd25519("a comment");
    const read = utils.parseKey(privateKey);
    if (read instanceof Error || Array.isArray(read)) throw new Error(`pair ${i} cannot be read`);
    expect(publicKey).toBe(`ssh-ed25519 ${read.getPublicSSH().toString("base64")} a comment`);
  }
});
