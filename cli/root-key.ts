import { createPublicKey, X509Certificate } from "node:crypto";
import { CommandError } from "./command-error.ts";
import { readNamed } from "./input.ts";
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
  const text = await readNamed(path, { advice: `: \`${COFFER} init\` writes it` });
  return rootKeyFrom(text, path);
}

/** The same of a PEM text; `named` is where that is from. */
export function rootKeyFrom(text: string, named: string): Uint8Array<ArrayBuffer> {
  try {
    const key = text.includes("BEGIN CERTIFICATE")
      ? new X509Certificate(text).publicKey
      : createPublicKey(text);
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("another kind of key");
    return new Uint8Array(key.export({ format: "der", type: "spki" }));
  } catch {
    throw new CommandError(
      `${named} holds no P-256 public key or certificate in PEM: \`${COFFER} init\` writes it.`,
    );
  }
}
