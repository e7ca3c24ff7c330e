/** The custodian's half of mutual authentication over the microservice's channel (M14). */

import { INSTANCES_AUTHORITY } from "#protocol/authority.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { CHALLENGE_BYTES, channelProofInput } from "#protocol/mutual.ts";
import { certifiedParty, instanceTier, parseCertificate, signedBy } from "#protocol/pki/index.ts";
import type { HelloResult, InstanceDescription, PortClient } from "#protocol/port/index.ts";

/** A custodian's certificate with its issuer's and the root's (base64url DER), and what signs with its key: ECDSA P-256, r || s. */
export interface CertifiedKey {
  dn: string;
  certificate: string;
  /** Issuer first, root last. */
  chain: readonly string[];
  sign(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** The far end of a port, as its hello and its enrolment have described it. */
export type FarEnd = Required<Pick<HelloResult, "challenge" | "measurement">> & {
  instance: Pick<InstanceDescription, "id" | "wrappingCertificate" | "method">;
};

/**
 * Proves to the microservice behind `port` who its custodian is, and has the instance prove what it is, under the root that
 * the custodian's own certificate leads to. `origin` is the custodian's; `now` in milliseconds. Errors: `custodian-unproven` by the
 * microservice, `microservice-unproven` when its answer does not hold.
 */
export async function authenticate(
  port: Pick<PortClient, "authenticate">,
  { challenge, measurement, instance: { id, wrappingCertificate, method } }: FarEnd,
  { origin, key, now }: { origin: string; key: CertifiedKey; now: number },
): Promise<void> {
  const { dn: custodian, certificate } = key;
  const [authority = "", root = ""] = key.chain;
  const own = encodeBase64url(crypto.getRandomValues(new Uint8Array(CHALLENGE_BYTES)));
  const challenges = { custodian: own, microservice: challenge };
  const of = { origin, custodian, measurement, instance: id, wrappingCertificate };
  const channel = { ...of, challenges, certificate };
  const proof = encodeBase64url(await key.sign(channelProofInput("custodian", channel)));
  const answer = await port.authenticate({ challenge: own, certificate, authority, proof });
  try {
    const { subtle } = crypto;
    const { spki } = parseCertificate(decodeBase64url(root));
    const party = await certifiedParty(subtle, answer.chain.map(decodeBase64url), {
      ...{ authority: INSTANCES_AUTHORITY, rootSpki: spki, now },
    });
    instanceTier(party.certificate, { use: "identity", custodian, method });
    if (!party.name.startsWith(`CN=${id},`)) throw new TypeError("another instance");
    if (!(await signedBy(subtle, party, answer.proof, channelProofInput("microservice", channel))))
      throw new TypeError("not signed by its key");
  } catch (cause) {
    throw new CofferError("microservice-unproven", { cause });
  }
}
