import { concat, utf8 } from "./bytes.ts";
import { sha256 } from "./digest.ts";

const DOMAIN = utf8("coffer evidence binder 1");

/**
 * What binds evidence to one exchange where its format has room for bytes alone: SHA-256 over a domain, the verifier's
 * nonce and the subject, each after its length (4 bytes). 32 bytes, since that is all that every TPM takes into a quote
 * (TPM 2.0 Part 2 §10.4.3, TPM2B_DATA).
 */
export function evidenceBinder(nonce: Uint8Array, subject: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts = [DOMAIN, nonce, utf8(subject)];
  return sha256(concat(...parts.flatMap((part) => [lengthOf(part), part])));
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
