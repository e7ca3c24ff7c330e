import { decodeBase64url } from "#protocol/base64url.ts";
import { ENCLAVE_EVIDENCE, verifyEvidence } from "#protocol/evidence/index.ts";

/**
 * The verifier's work on evidence, for any runtime: the same source runs in Node, in workerd and in Chromium, and what it
 * answers must be the same everywhere. May import protocol/ only.
 */

/** Bytes as base64url; `now` in milliseconds since 1970. */
export type Case = { evidence: string; roots: string[]; nonce: string; subject: string; now: number };

/** For each case the claims as JSON, or the reason of its refusal; of an engine's own errors the name. */
export function probe(cases: Case[]): Promise<string[]> {
  return Promise.all(cases.map((each) => outcome(each)));
}

async function outcome({ evidence, roots, nonce, subject, now }: Case): Promise<string> {
  const expected = { roots: roots.map(decodeBase64url), nonce: decodeBase64url(nonce), subject, now };
  try {
    return JSON.stringify(await verifyEvidence(ENCLAVE_EVIDENCE, decodeBase64url(evidence), expected));
  } catch (error) {
    // The words of what an engine throws are its own.
    const { name, message } = error as Error;
    return name === "Error" ? `Error: ${message}` : name;
  }
}
