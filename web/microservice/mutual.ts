/** The microservice's half of mutual authentication over its channel (M14). */

import { CUSTODIANS_AUTHORITY } from "#protocol/authority.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { CHALLENGE_BYTES, channelProofInput } from "#protocol/mutual.ts";
import { certifiedParty, signedBy } from "#protocol/pki/index.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import type { Crypto } from "./crypto.ts";
import { signWith } from "./keys.ts";
import type { InstanceRecord } from "./store.ts";

/** A challenge is for a custodian that answers at once, or after the enrolment that it begins with. Milliseconds. */
const CHALLENGE_LIFE = 5 * 60_000;

type Authenticate = PortHandler["authenticate"];
type Of = {
  record: InstanceRecord;
  rootKey: Uint8Array<ArrayBuffer>;
  measurement: string;
};

/** Who is at the other end of one port, as far as it has proved in one life of what is behind it. */
export class Mutual {
  readonly #crypto: Crypto;
  readonly #now: () => number;
  #challenge: { text: string; ends: number } | undefined;
  #proven = 0;

  constructor(crypto: Crypto, now: () => number) {
    this.#crypto = crypto;
    this.#now = now;
  }

  /** A new one in the place of any before it. */
  challenge(): string {
    const text = encodeBase64url(this.#crypto.random(new Uint8Array(CHALLENGE_BYTES)));
    this.#challenge = { text, ends: this.#now() + CHALLENGE_LIFE };
    return text;
  }

  /** Throws `custodian-unproven` unless the custodian has proved who it is, under a certificate that still holds. */
  require(): void {
    if (!(this.#now() < this.#proven)) throw new CofferError("custodian-unproven");
  }

  /**
   * Uses the challenge up, then verifies: the custodian's certificate by the custodians' authority under the pinned root, in the name that the instance is
   * bound to, and its signature for this channel. Answers the instance's own proof. Error: `custodian-unproven`, whatever is wrong.
   */
  async authenticate(
    { challenge, certificate, authority, proof }: Parameters<Authenticate>[0],
    { record, rootKey, measurement }: Of,
  ): ReturnType<Authenticate> {
    const { subtle } = this.#crypto;
    const own = this.#challenge;
    this.#challenge = undefined;
    // Who proves anew counts by that alone: the certificate may be another one by now.
    this.#proven = 0;
    const { origin, custodian, id: instance } = record;
    const chain = [record.identityCertificate, ...record.chain].map(encodeBase64url);
    const channel = {
      ...{ origin, custodian, measurement, instance, certificate },
      wrappingCertificate: encodeBase64url(record.wrappingCertificate),
      challenges: { custodian: challenge, microservice: own?.text ?? "" },
    };
    try {
      const now = this.#now();
      if (!own || !(now < own.ends)) throw new TypeError("no challenge is open");
      const path = [certificate, authority].map(decodeBase64url);
      const root = record.chain.at(-1);
      const party = await certifiedParty(subtle, root ? [...path, root] : path, {
        authority: CUSTODIANS_AUTHORITY,
        rootSpki: rootKey,
        now,
      });
      if (party.name !== custodian) throw new TypeError("another custodian");
      if (!(await signedBy(subtle, party, proof, channelProofInput("custodian", channel))))
        throw new TypeError("not signed by its key");
      this.#proven = party.certificate.notAfter;
    } catch (cause) {
      throw new CofferError("custodian-unproven", { cause });
    }
    const signed = await signWith(subtle, record.identityKey, channelProofInput("microservice", channel));
    return { chain, proof: encodeBase64url(signed) };
  }
}
