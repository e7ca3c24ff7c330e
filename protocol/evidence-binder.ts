import { concat, utf8 } from "./bytes.ts";
import { digest, sha256 } from "./digest.ts";

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

const ENROLMENT = utf8("coffer enrolment subject 1");

/** Who enrols, for whom and where. */
export type Enrolling = {
  /** SubjectPublicKeyInfo, DER, of the keys that are to be certified. */
  identity: Uint8Array;
  wrapping: Uint8Array;
  /** Distinguished Name and origin of the custodian that is to be served. */
  custodian: string;
  origin: string;
  /** Origin of the vault, whose registration authority is asked. */
  vault: string;
};

/**
 * The subject of evidence at an enrolment: evidence for another key, custodian, app or registration authority is of another
 * subject. Base64url of a SHA-256, 43 characters.
 */
export function enrolmentSubject(of: Enrolling): Promise<string> {
  const { identity, wrapping, custodian, origin, vault } = of;
  const parts = [ENROLMENT, identity, wrapping, utf8(custodian), utf8(origin), utf8(vault)];
  return digest(concat(...parts.flatMap((part) => [lengthOf(part), part])));
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
