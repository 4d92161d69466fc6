import type { Client, ParsedKey } from "ssh2";

type Sign = (data: Buffer, send: (signature: Buffer) => void) => void;

/** Parts of ssh2's client that its types leave out. */
interface Inner {
  readonly _protocol: {
    authPK: (user: string, key: ParsedKey, algorithm: string | undefined, sign?: Sign) => void;
  };
}

const hashes: Readonly<Record<string, string>> = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" };

/**
 * Logs in with a signature at once, to be called after `connect`. ssh2 asks first whether the key would do, which costs a
 * round trip and spares nothing: there is one key.
 * @param onRoundTrip is told how many milliseconds one took
 */
export function signAtOnce(client: Client, onRoundTrip: (milliseconds: number) => void): void {
  let asked = 0;
  client.on("handshake", () => {
    asked = performance.now();
  });
  const { _protocol: protocol } = client as unknown as Inner;
  const ask = protocol.authPK.bind(protocol);
  protocol.authPK = (user, key, algorithm, sign) => {
    onRoundTrip(performance.now() - asked);
    ask(
      user,
      key,
      algorithm,
      sign ??
        ((data, send) => {
          const signature = key.sign(data, hashes[algorithm ?? ""]);
          if (signature instanceof Error)
            client.emit("error", Object.assign(signature, { level: "client-authentication" }));
          else send(signature);
        }),
    );
  };
}
