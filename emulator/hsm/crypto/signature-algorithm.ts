import { constants } from "node:crypto";
import { encodeHex } from "#protocol/bytes.ts";
import type { Attributes } from "#protocol/kmip/index.ts";
import { CONTEXT, DerReader, INTEGER, SEQUENCE } from "#protocol/pki/der.ts";
import { readObjectIdentifier } from "./der.ts";

export type SignatureAlgorithm = NonNullable<Attributes["digitalSignatureAlgorithm"]>[number];

/** What an AlgorithmIdentifier of a signature means to KMIP and to OpenSSL. */
export interface Signature {
  kmip?: SignatureAlgorithm;
  /** Undefined where the scheme has a digest of its own (RFC 8032). */
  digest?: string | undefined;
  /** RSASSA-PSS (RFC 4055 §3.1). */
  pss?: { padding: number; saltLength: number };
}

const RSA = "1.2.840.113549.1.1";
const ECDSA = "1.2.840.10045.4";
const SIGNATURES: Readonly<Record<string, Signature>> = {
  [`${RSA}.2`]: { kmip: "MD2WithRSAEncryption" },
  [`${RSA}.4`]: { kmip: "MD5WithRSAEncryption" },
  [`${RSA}.5`]: { kmip: "SHA_1WithRSAEncryption", digest: "sha1" },
  [`${RSA}.14`]: { kmip: "SHA_224WithRSAEncryption", digest: "sha224" },
  [`${RSA}.11`]: { kmip: "SHA_256WithRSAEncryption", digest: "sha256" },
  [`${RSA}.12`]: { kmip: "SHA_384WithRSAEncryption", digest: "sha384" },
  [`${RSA}.13`]: { kmip: "SHA_512WithRSAEncryption", digest: "sha512" },
  "1.2.840.10040.4.3": { kmip: "DSAWithSHA_1", digest: "sha1" },
  "2.16.840.1.101.3.4.3.1": { kmip: "DSAWithSHA224", digest: "sha224" },
  "2.16.840.1.101.3.4.3.2": { kmip: "DSAWithSHA256", digest: "sha256" },
  [`${ECDSA}.1`]: { kmip: "ECDSAWithSHA_1", digest: "sha1" },
  [`${ECDSA}.3.1`]: { kmip: "ECDSAWithSHA224", digest: "sha224" },
  [`${ECDSA}.3.2`]: { kmip: "ECDSAWithSHA256", digest: "sha256" },
  [`${ECDSA}.3.3`]: { kmip: "ECDSAWithSHA384", digest: "sha384" },
  [`${ECDSA}.3.4`]: { kmip: "ECDSAWithSHA512", digest: "sha512" },
  "1.3.101.112": {},
  "1.3.101.113": {},
};
const PSS = `${RSA}.10`;
const HASHES: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Undefined for an algorithm that is not known here. Throws `TypeError` or `RangeError` for malformed ones. */
export function signatureOf(algorithmIdentifier: Uint8Array): Signature | undefined {
  const fields = new DerReader(algorithmIdentifier).enter(SEQUENCE);
  const id = readObjectIdentifier(fields);
  if (id !== PSS) return Object.hasOwn(SIGNATURES, id) ? SIGNATURES[id] : undefined;
  return { kmip: "RSASSA_PSS", ...pssParameters(fields) };
}

function pssParameters(fields: DerReader): Pick<Signature, "digest" | "pss"> {
  let digest = "sha1";
  let saltLength = 20;
  const parameters = fields.done ? fields : fields.enter(SEQUENCE);
  while (!parameters.done) {
    const { tag, contents } = parameters.read();
    const value = new DerReader(contents);
    if (tag === CONTEXT) digest = HASHES[readObjectIdentifier(value.enter(SEQUENCE))] ?? "";
    if (tag === (CONTEXT | 2)) saltLength = Number.parseInt(encodeHex(value.read(INTEGER).contents), 16);
  }
  return { digest, pss: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength } };
}
