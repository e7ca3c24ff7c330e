import { createPublicKey, verify } from "node:crypto";
import { BIT_STRING, CONTEXT, DerReader, INTEGER, SEQUENCE } from "#protocol/pki/der.ts";
import { readName } from "#protocol/pki/distinguished-name.ts";
import { signatureOf } from "./signature-algorithm.ts";

/** A request's subject (a Name) and SubjectPublicKeyInfo, both DER as they stand in it. */
export interface CertificateRequest {
  subject: Uint8Array;
  publicKey: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a PKCS#10 request (RFC 2986 §4) that its own key has signed: with whatever OpenSSL verifies, Ed448 and secp256k1
 * among it. Throws for anything else.
 */
export function readCertificateRequest(der: Uint8Array): CertificateRequest {
  const outer = new DerReader(der);
  const request = outer.enter(SEQUENCE);
  outer.end();
  const info = request.read(SEQUENCE);
  const signature = signatureOf(request.read(SEQUENCE).bytes);
  const bits = request.read(BIT_STRING).contents;
  request.end();
  const fields = new DerReader(info.contents);
  fields.read(INTEGER);
  const subject = fields.read(SEQUENCE).bytes;
  readName(subject);
  const publicKey = new Uint8Array(fields.read(SEQUENCE).bytes);
  // Some leave out the attributes, though they are not optional.
  if (!fields.done) fields.read(CONTEXT);
  fields.end();
  const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  if (!signature || signature.digest === "" || bits[0] !== 0)
    throw new TypeError("no signature that is known");
  if (!verify(signature.digest, info.bytes, { key, ...signature.pss }, bits.subarray(1)))
    throw new TypeError("not signed by its key");
  return { subject, publicKey };
}
