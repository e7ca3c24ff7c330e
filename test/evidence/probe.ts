import { decodeBase64url } from "#protocol/base64url.ts";
import { encodeHex } from "#protocol/bytes.ts";
import { verifyEvidence, verifyNitroDocument, verifyQuote } from "#protocol/evidence/index.ts";

/**
 * The verifier's work on evidence, for any runtime: the same source runs in Node, in workerd and in Chromium, and what it
 * answers must be the same everywhere. May import protocol/ only.
 */

/** Bytes as base64url; `now` in milliseconds since 1970. `good` is what ought to be taken. */
export type Case = { good: boolean } & (EvidenceCase | DocumentCase | QuoteCase);
/** Evidence for a party, by the name of its format. */
export type EvidenceCase = {
  type: string | number;
  evidence: string;
  roots: string[];
  keys?: string[];
  nonce: string;
  subject: string;
  now: number;
  revoked?: string[];
  minVersion?: string;
};
/** A document of AWS Nitro that was made for somebody else. */
export type DocumentCase = { document: string; roots: string[]; now: number; debug: boolean };
/** A quote over bytes, as files. */
export type QuoteCase = {
  message: string;
  signature: string;
  registers: string;
  keys: string[];
  extraData: string;
};

/** For each case the claims as JSON, or the reason of its refusal; of an engine's own errors the name. */
export function probe(cases: Case[]): Promise<string[]> {
  return Promise.all(cases.map((each) => outcome(each)));
}

async function outcome(given: Case): Promise<string> {
  try {
    return JSON.stringify(await verified(given), readable);
  } catch (error) {
    // The words of what an engine throws are its own.
    const { name, message } = error as Error;
    return name === "Error" ? `Error: ${message}` : name;
  }
}

function verified(given: Case): Promise<unknown> {
  if ("document" in given) {
    const { document, roots, now, debug } = given;
    return verifyNitroDocument(decodeBase64url(document), { roots: roots.map(decodeBase64url), now, debug });
  }
  if ("message" in given) {
    const [message, signature, registers] = [given.message, given.signature, given.registers].map(
      decodeBase64url,
    );
    const keys = given.keys.map(decodeBase64url);
    return verifyQuote(
      { message: message!, signature: signature!, registers: registers! },
      { keys, extraData: decodeBase64url(given.extraData) },
    );
  }
  const { type, evidence, roots, keys = [], nonce, subject, now, revoked = [], minVersion } = given;
  return verifyEvidence(type, decodeBase64url(evidence), {
    roots: roots.map(decodeBase64url),
    keys: keys.map(decodeBase64url),
    nonce: decodeBase64url(nonce),
    subject,
    now,
    revoked,
    ...(minVersion !== undefined && { minVersion }),
  });
}

/** What JSON has no form for. */
function readable(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeHex(value);
  if (value instanceof Map) return [...value].map(([key, each]) => [key, encodeHex(each as Uint8Array)]);
  return typeof value === "bigint" ? `${value}` : value;
}
