import { verify, X509Certificate } from "node:crypto";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { parseJson } from "#protocol/json.ts";
import { isCurrent } from "../policy/chain.ts";

/** What verified evidence says. */
export interface Evidence {
  /** Digest of the code that runs, lower-case hex. */
  measurement: string;
  /** Until when it is good. */
  expires: Date;
}

/** What evidence must say, and under which roots. */
export interface Expectation {
  roots: readonly X509Certificate[];
  nonce: Uint8Array;
  /** The identity of the channel on which it came. */
  client: string;
  now: Date;
}

/** The evidence of the enclave emulator as a vendor's Attestation Type (KMIP 2.1 §11.4 Attestation Type: 8XXXXXXX are extensions). */
export const ENCLAVE_EVIDENCE = 0x80000001;

const LONGEST = 8192;
/** Seconds that evidence may live. */
const MAX_LIFETIME = 300;
const ATTESTATION_KEY = "2.23.133.8.3";

/**
 * Verifies an EAT of the enclave emulator (RFC 9711; `eat+jwt`, ES256, certificate of the platform key in `x5c`).
 * Throws an `Error` for the log; the client is told one thing for all of them.
 */
export function verifyEvidence(evidence: Uint8Array, expected: Expectation): Evidence {
  if (evidence.length > LONGEST) throw new Error("evidence is too long");
  const parts = new TextDecoder("utf-8", { fatal: true }).decode(evidence).split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) throw new Error("not a compact JWS");
  const key = platformKey(objectIn(header), expected);
  const signed = utf8(`${header}.${payload}`);
  const raw = decodeBase64url(signature);
  if (raw.length !== 64 || !verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, raw))
    throw new Error("the signature is wrong");
  return evidenceIn(objectIn(payload), expected);
}

/** The key of the certificate in the header, under one of the roots now. */
function platformKey({ alg, typ, x5c, ...others }: Record<string, unknown>, { roots, now }: Expectation) {
  if (alg !== "ES256" || typ !== "eat+jwt" || Object.keys(others).length > 0)
    throw new Error("not the header of evidence");
  const [text, ...more] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  if (typeof text !== "string" || more.length > 0) throw new Error("one certificate is expected");
  const certificate = new X509Certificate(Buffer.from(text, "base64"));
  const trusted = roots.some(
    (root) =>
      isCurrent(root, now) &&
      isCurrent(certificate, now) &&
      certificate.checkIssued(root) &&
      certificate.verify(root.publicKey),
  );
  if (!trusted) throw new Error("the platform key is not under a root");
  if (certificate.ca || !certificate.keyUsage?.includes(ATTESTATION_KEY))
    throw new Error("the platform key is not for attestation");
  if (certificate.publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new Error("the platform key is not of P-256");
  return certificate.publicKey;
}

function evidenceIn(claims: Record<string, unknown>, { nonce, client, now }: Expectation): Evidence {
  const { environment, eat_nonce, sub, iat, exp, measurement } = claims;
  const seconds = now.getTime() / 1000;
  if (environment !== "EMULATED") throw new Error("evidence of the emulator must say so");
  if (eat_nonce !== encodeBase64url(new Uint8Array(nonce))) throw new Error("another nonce");
  if (sub !== client) throw new Error("evidence of another client");
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw new Error("the times are missing");
  const [issued, expires] = [iat as number, exp as number];
  if (!(issued <= seconds + CLOCK_TOLERANCE && seconds < expires && expires - issued <= MAX_LIFETIME))
    throw new Error("not the time of this evidence");
  if (typeof measurement !== "string" || !/^([0-9a-f]{64}|[0-9a-f]{96})$/.test(measurement))
    throw new Error("the measurement is missing");
  return { measurement, expires: new Date(expires * 1000) };
}

function objectIn(part: string): Record<string, unknown> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(decodeBase64url(part));
  const value: unknown = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  return value as Record<string, unknown>;
}
