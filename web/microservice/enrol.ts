/** Enrolment (M1 to M3): the instance makes its request, redeems its credential itself, checks what it gets. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { equalConstantTime } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import type { Enrol } from "#protocol/enrolment.ts";
import { CofferError } from "#protocol/error.ts";
import { hybridProofInput } from "#protocol/hybrid.ts";
import { type TrustList, verifyTrustList } from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import {
  type InstanceCertificate,
  instanceLevel,
  instanceTier,
  parseCertificate,
  signedRequest,
  verifyChain,
  wrappingProofInput,
} from "#protocol/pki/index.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { renewalInput } from "#protocol/renewal.ts";
import { type Attester, credentialOf } from "./credentials.ts";
import type { Subtle } from "./crypto.ts";
import { type CertifiedHybrid, checkHybrid, hybridRecipient } from "./hybrid.ts";
import { checkInstanceKeys, type InstanceKeys, signWith } from "./keys.ts";
import { type PasskeySecret, passkeyKey, type Sealable, sealKeys } from "./passkey-keys.ts";
import type { EnrolmentAnswer, Registration } from "./registration.ts";
import { checkLocalKey, generateLocalKey } from "./stateless.ts";
import { type InstanceRecord, lineOf, STORE_VERSION } from "./store.ts";

export type Ceremony = {
  subtle: Subtle;
  registration: Registration;
  /** Root SPKI that this code was built with: the only anchor of trust. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Whom the instance will serve; the RA must have bound the credential to the same. */
  origin: string;
  custodian: string;
  /** The vault's session, with which the instance ends. */
  session: string;
  keys: InstanceKeys;
  /** Where these keys can be kept under the passkey that the person shows. */
  sealable?: Sealable | undefined;
  /** In an enclave. */
  attester?: Attester | undefined;
  /** Highest serial of a trust list seen here before. */
  minSerial: number;
  /** Milliseconds since 1970. */
  now: number;
};

/** Runs the ceremony. Errors: the RA's codes, `enrolment-refused` when what comes back does not hold. */
export async function enrol(handed: Enrol, ceremony: Ceremony): Promise<InstanceRecord> {
  const { subtle, registration, keys, sealable, origin, custodian, session } = ceremony;
  const { id, nonce } = await sessionFor(handed, ceremony);
  const sign = (bytes: Uint8Array<ArrayBuffer>) => signWith(subtle, keys.identityKey, bytes);
  const raw = decodeBase64url(nonce);
  const { attributes, secret } = await evidenceFor(handed, raw, ceremony);
  const key = secret && (await passkeyKey(subtle, secret.output, "encrypt"));
  const request = {
    commonName: "Coffer microservice",
    spki: keys.identitySpki,
    challengePassword: nonce,
    attributes,
  };
  const { hybrid } = keys;
  const [credential, identityRequest, wrappingProof, hybridProof] = await Promise.all([
    credentialOf(handed, { subtle, nonce: raw, keys }),
    signedRequest(request, sign),
    sign(wrappingProofInput(raw, keys.wrappingSpki)),
    hybrid && sign(hybridProofInput(raw, hybrid)),
  ]);
  const enrolled = await registration.redeem(id, {
    method: handed.method,
    credential,
    identityRequest: encodeBase64url(identityRequest),
    wrappingKey: encodeBase64url(keys.wrappingSpki),
    wrappingProof: encodeBase64url(wrappingProof),
    ...(hybrid &&
      hybridProof && {
        hybrid: {
          agreementKey: encodeBase64url(hybrid.agreement),
          kemKey: encodeBase64url(hybrid.kem),
          proof: encodeBase64url(hybridProof),
        },
      }),
  });
  const localKey = await generateLocalKey(subtle);
  const record = await certified(enrolled, { ...keys, origin, custodian, session, localKey }, ceremony);
  if (!key || !sealable) return record;
  const of = { key, credential: secret.credential };
  return { ...record, sealed: await sealKeys(subtle, sealable, of, record) };
}

/**
 * Certificates for the same keys, before those that it has end: the instance asks by itself, and signs with its identity key. Errors: the
 * RA's codes, `enrolment-refused`.
 */
export async function renew(
  record: InstanceRecord,
  ceremony: Pick<Ceremony, "subtle" | "registration" | "rootKey" | "minSerial" | "now">,
): Promise<InstanceRecord> {
  const { subtle, registration } = ceremony;
  const { identityCertificate: identity, wrappingCertificate: wrapping, method, hybrid } = record;
  const proof = await signWith(
    subtle,
    record.identityKey,
    await renewalInput(subtle, { identity, wrapping, ...(hybrid && { hybrid: hybrid.certificates }) }),
  );
  const renewed = await registration.renew({
    identityCertificate: encodeBase64url(identity),
    wrappingCertificate: encodeBase64url(wrapping),
    proof: encodeBase64url(proof),
    ...(hybrid && {
      hybrid: {
        agreementCertificate: encodeBase64url(hybrid.certificates[0]),
        kemCertificate: encodeBase64url(hybrid.certificates[1]),
      },
    }),
  });
  if (renewed.method !== method) throw new CofferError("enrolment-refused");
  const [identitySpki, wrappingSpki] = [parseCertificate(identity).spki, parseCertificate(wrapping).spki];
  const kept = {
    ...record,
    identitySpki: new Uint8Array(identitySpki),
    wrappingSpki: new Uint8Array(wrappingSpki),
    hybrid: hybrid && { ...hybrid, ...hybridRecipient(hybrid) },
  };
  return {
    ...(await certified(renewed, kept, ceremony)),
    ...(record.sealed && { sealed: record.sealed }),
    line: lineOf(record),
    former: wrapping,
  };
}

type Kept = InstanceKeys & Pick<InstanceRecord, "origin" | "custodian" | "session" | "localKey">;

/** The instance of what the RA has answered, when all of it holds for these keys and this custodian. */
async function certified(
  enrolled: EnrolmentAnswer,
  { identitySpki, wrappingSpki, identityKey, wrappingKey, hybrid, ...kept }: Kept,
  ceremony: Pick<Ceremony, "subtle" | "rootKey" | "minSerial" | "now">,
): Promise<InstanceRecord> {
  const { origin, custodian, session, localKey } = kept;
  // M13: a credential that some other custodian obtained must not bind this instance to that one.
  if (enrolled.custodian !== custodian || enrolled.origin !== origin)
    throw new CofferError("foreign-custodian");

  const record: InstanceRecord = {
    version: STORE_VERSION,
    origin,
    custodian,
    ...(session !== undefined && { session }),
    id: enrolled.instance,
    method: enrolled.method,
    identityKey,
    wrappingKey,
    ...(localKey && { localKey }),
    identityCertificate: decodeBase64url(enrolled.identityCertificate),
    wrappingCertificate: decodeBase64url(enrolled.wrappingCertificate),
    chain: enrolled.chain.map(decodeBase64url),
    trust: enrolled.trust,
    notAfter: 0,
  };
  try {
    const [identity, wrapping] = [
      parseCertificate(record.identityCertificate),
      parseCertificate(record.wrappingCertificate),
    ];
    const held =
      equalConstantTime(identity.spki, identitySpki) && equalConstantTime(wrapping.spki, wrappingSpki);
    if (!held) throw new TypeError("certificates are for other keys");
    // Of an HSM without ML-KEM none come: what a policy then asks for is refused when a key is loaded.
    if (hybrid && enrolled.hybrid) {
      const { agreementKey, kemKey, agreement, kem } = hybrid;
      const { agreementCertificate, kemCertificate } = enrolled.hybrid;
      const certificates: CertifiedHybrid["certificates"] = [
        decodeBase64url(agreementCertificate),
        decodeBase64url(kemCertificate),
      ];
      record.hybrid = { agreementKey, kemKey, certificates };
      const certified = hybridRecipient(record.hybrid);
      if (!equalConstantTime(certified.agreement, agreement) || !equalConstantTime(certified.kem, kem))
        throw new TypeError("certificates are for other keys");
    }
    record.notAfter = Math.min(identity.notAfter, wrapping.notAfter);
    const { trust } = await verifyInstance(record, ceremony);
    record.notAfter = Math.min(record.notAfter, trust.exp * 1000);
  } catch (cause) {
    throw new CofferError("enrolment-refused", { cause });
  }
  return record;
}

/** A deployer has opened it for evidence; a grant comes with the cookie of whom it is for; else it is asked for by name. */
async function sessionFor(handed: Enrol, { registration, custodian }: Ceremony) {
  if (handed.method === "attestation") return { id: handed.enrolment, nonce: handed.nonce };
  return registration.open(handed.method === "grant" ? undefined : /^CN=(\w+)/.exec(custodian)?.[1]);
}

/** Evidence in the certificate request, where it is what the instance shows. Error: `enrolment-refused` where no platform gives any. */
async function evidenceFor(
  handed: Enrol,
  nonce: Uint8Array<ArrayBuffer>,
  { attester, keys, sealable, custodian, origin }: Ceremony,
): Promise<{ attributes: Uint8Array[]; secret?: PasskeySecret | undefined }> {
  if (handed.method !== "attestation") return { attributes: [] };
  if (!attester) throw new CofferError("enrolment-refused");
  const { identitySpki: identity, wrappingSpki: wrapping } = keys;
  const about = { nonce, accepts: handed.accepts, identity, wrapping, custodian, origin };
  const { attribute, secret } = await attester.attest({ ...about, salt: sealable?.salt });
  return { attributes: [attribute], secret };
}

/**
 * Verifies what an instance rests on: its keys, its certificates up to the pinned root and what they say, its trust list.
 * At enrolment and whenever it comes out of the store. Throws what the checks throw.
 */
export async function verifyInstance(
  record: InstanceRecord,
  { subtle, rootKey, minSerial, now }: Pick<Ceremony, "subtle" | "rootKey" | "minSerial" | "now">,
): Promise<{ trust: TrustList; tier: Tier; level: Level }> {
  checkInstanceKeys(record.identityKey, record.wrappingKey);
  if (record.localKey) checkLocalKey(record.localKey);
  if (!(now < record.notAfter)) throw new CofferError("instance-expired");
  const chain = record.chain.map((der) => parseCertificate(der));
  const { custodian, method } = record;
  const verify = async (der: Uint8Array, use: InstanceCertificate["use"]) => {
    const leaf = parseCertificate(der);
    await verifyChain(subtle, [leaf, ...chain], rootKey, now);
    return instanceTier(leaf, { use, custodian, method });
  };
  const tier = await verify(record.identityCertificate, "identity");
  if ((await verify(record.wrappingCertificate, "wrapping")) !== tier) throw new TypeError("two tiers");
  if (record.hybrid) {
    checkHybrid(record.hybrid);
    const [agreement, kem] = record.hybrid.certificates;
    for (const other of [await verify(agreement, "agreement"), await verify(kem, "wrapping")])
      if (other !== tier) throw new TypeError("two tiers");
  }
  const trust = await verifyTrustList(record.trust, rootKey, seconds(now), minSerial);
  return { trust, tier, level: instanceLevel(parseCertificate(record.wrappingCertificate)) };
}
