/** Certificate requests (PKCS#10, RFC 2986), and the proof for a key that cannot sign one itself. */
import { compareBytes } from "../byte-order.ts";
import { concat, utf8 } from "../bytes.ts";
import {
  BIT_STRING,
  CONTEXT,
  encode,
  INTEGER,
  objectIdentifier,
  PRINTABLE_STRING,
  SEQUENCE,
  SET,
  UTF8_STRING,
} from "./der.ts";
import { signatureToDer } from "./signature.ts";

const COMMON_NAME = "2.5.4.3";
const CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

export type CertificationRequest = {
  /** Subject CN. A wish: the registration authority writes the subject itself. */
  commonName: string;
  /** SubjectPublicKeyInfo of the P-256 key, DER. */
  spki: Uint8Array;
  /** The nonce of the enrolment session as its base64url text; a PrintableString (RFC 2985 §5.4.1), so no `_`: else UTF-8. */
  challengePassword: string;
  /** Further attributes, each a DER Attribute; for evidence (id-aa-attestation). */
  attributes?: Uint8Array[];
};

/** DER of a request, signed by `sign`, which gives r || s (64 bytes) of ECDSA with SHA-256. */
export async function signedRequest(
  request: CertificationRequest,
  sign: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = encode(UTF8_STRING, utf8(request.commonName));
  const subject = encode(SEQUENCE, encode(SET, encode(SEQUENCE, objectIdentifier(COMMON_NAME), name)));
  const password = request.challengePassword;
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(password);
  const challenge = encode(
    SEQUENCE,
    objectIdentifier(CHALLENGE_PASSWORD),
    encode(SET, encode(printable ? PRINTABLE_STRING : UTF8_STRING, utf8(password))),
  );
  // Attributes are a SET OF: DER sorts its members by their bytes (X.690 §11.6).
  const attributes = [challenge, ...(request.attributes ?? [])].sort(compareBytes);
  const info = encode(
    SEQUENCE,
    encode(INTEGER, new Uint8Array([0])),
    subject,
    request.spki,
    encode(CONTEXT, ...attributes),
  );
  const signature = signatureToDer(await sign(info));
  const algorithm = encode(SEQUENCE, objectIdentifier(ECDSA_WITH_SHA256));
  return encode(SEQUENCE, info, algorithm, encode(BIT_STRING, new Uint8Array(1), signature));
}

/**
 * What the identity key signs for the wrapping key (usage unwrapKey, so no signature of its own):
 * `"coffer-wrapping-key-v1" 00 || nonce || SPKI`. Instance and registration authority both ask here. The prefix keeps a
 * signature for one purpose from serving another.
 */
export function wrappingProofInput(nonce: Uint8Array, wrappingSpki: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(utf8("coffer-wrapping-key-v1\0"), nonce, wrappingSpki);
}
