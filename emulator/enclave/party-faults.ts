/** Evidence about another party than the one that enrols with it, each under a name: for verifiers to refuse. */
import type { Enrolling } from "#protocol/evidence-binder.ts";

/** In place of the party that the evidence of an enclave is about. */
export interface PartyFault {
  /** Asked where a microservice enrols; evidence that is made without an enrolment does not know its party. */
  party?(enrolling: Enrolling): Enrolling | Promise<Enrolling>;
}

const EVIL = "https://evil.example";

export const PARTY_FAULTS = {
  "keys-other": {
    party: async (of) => ({ ...of, identity: await anotherKey(), wrapping: await anotherKey() }),
  },
  "identity-key-swapped": { party: async (of) => ({ ...of, identity: await anotherKey() }) },
  "wrapping-key-swapped": { party: async (of) => ({ ...of, wrapping: await anotherKey() }) },
  "custodian-other": { party: (of) => ({ ...of, custodian: `CN=mallory,OU=${EVIL},O=development` }) },
  "vault-other": { party: (of) => ({ ...of, vault: EVIL }) },
  "app-other": { party: (of) => ({ ...of, origin: EVIL }) },
} as const satisfies Record<string, PartyFault>;

export type PartyFaultName = keyof typeof PARTY_FAULTS;

/** SubjectPublicKeyInfo of a new key, DER. */
async function anotherKey(): Promise<Uint8Array> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const { publicKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
}
