/** Project name of Pulumi.yaml, and namespace of the configuration. */
export const project = "lambda-train";

/** In a state, a secret is an object with this member. Its value is JSON text, `plaintext` or `ciphertext`. */
export const secretSignature = "4dabf18193072939515e22adb298388d";
