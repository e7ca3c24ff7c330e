/**
 * Evidence in a certificate request: the attribute id-aa-attestation (draft-ietf-lamps-csr-attestation), which holds a bundle
 * of one attestation, a Conceptual Message Wrapper (RFC 9999) in JSON: `[media type, base64url of the evidence, 4]`.
 */
import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { encodeHex, utf8 } from "../bytes.ts";
import { parseJson } from "../json.ts";
import {
  DerReader,
  encode,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  objectIdentifier,
  SEQUENCE,
  SET,
} from "./der.ts";

/** id-aa-attestation, id-aa 59. */
export const ATTESTATION_ATTRIBUTE = "1.2.840.113549.1.9.16.2.59";
/** id-pe-cmw (RFC 9999). */
const CMW = "1.3.6.1.5.5.7.1.35";
/** The wrapped message is evidence: bit 2 of the indicator. */
const EVIDENCE = 4;

/** `type`: the media type of the evidence. */
export type Evidence = { type: string; evidence: Uint8Array<ArrayBuffer> };

/** The attribute, DER. */
export function attestationAttribute({ type, evidence }: Evidence): Uint8Array<ArrayBuffer> {
  const wrapped = utf8(JSON.stringify([type, encodeBase64url(evidence), EVIDENCE]));
  const attestation = encode(SEQUENCE, objectIdentifier(CMW), encode(OCTET_STRING, wrapped));
  const bundle = encode(SEQUENCE, encode(SEQUENCE, attestation));
  return encode(SEQUENCE, objectIdentifier(ATTESTATION_ATTRIBUTE), encode(SET, bundle));
}

/** What is in the attribute's one value (DER). Throws `TypeError` or `SyntaxError` for anything but one piece of evidence. */
export function evidenceIn(value: Uint8Array): Evidence {
  const outer = new DerReader(value);
  const bundle = outer.enter(SEQUENCE);
  outer.end();
  const attestations = bundle.enter(SEQUENCE);
  bundle.end();
  const attestation = attestations.enter(SEQUENCE);
  attestations.end();
  const type = encodeHex(attestation.read(OBJECT_IDENTIFIER).bytes);
  if (type !== encodeHex(objectIdentifier(CMW))) throw new TypeError("not a conceptual message");
  const { contents } = attestation.read(OCTET_STRING);
  attestation.end();
  const record: unknown = parseJson(
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(contents),
  );
  const [name, message, indicator, ...more] = Array.isArray(record) ? (record as unknown[]) : [];
  if (typeof name !== "string" || typeof message !== "string" || indicator !== EVIDENCE || more.length > 0)
    throw new TypeError("not evidence");
  return { type: name, evidence: decodeBase64url(message) };
}
