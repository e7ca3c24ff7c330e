import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CommandError } from "./command-error.ts";
import { COFFER } from "./parts/index.ts";

/** What `coffer init` writes and `npm run build` reads, in the repository's folder. */
export const ROOT_KEY_FILE = "coffer-root.pem";

/** DER SubjectPublicKeyInfo to PEM (RFC 7468 §13). */
export function rootKeyPem(spki: Uint8Array): string {
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  return String(key.export({ format: "pem", type: "spki" }));
}

/** Reads the root CA's public key from PEM: the key, or the CA's certificate. Resolves with DER SubjectPublicKeyInfo. */
export async function readRootKey(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = await readFile(path, "utf8").catch(() => {
    throw new CommandError(`${path} cannot be read: \`${COFFER} init\` writes it.`);
  });
  try {
    const key = text.includes("BEGIN CERTIFICATE")
      ? new X509Certificate(text).publicKey
      : createPublicKey(text);
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("another kind of key");
    return new Uint8Array(key.export({ format: "der", type: "spki" }));
  } catch {
    throw new CommandError(
      `${path} holds no P-256 public key or certificate in PEM: \`${COFFER} init\` writes it.`,
    );
  }
}
