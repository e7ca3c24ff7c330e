/** The part of an enrolment that comes after the credential is consumed: verify, certify, register. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { INSTANCES_CA, ROOT_CA, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import type { Level } from "#protocol/level.ts";
import type { InstanceFacts } from "../enrolled.ts";
import type { Hsm } from "../hsm/index.ts";
import { type CertificateOrder, issue } from "./certificate.ts";
import type { NewInstance } from "./instances.ts";
import { registerHybrid, registerRecipient } from "./recipient.ts";
import { hybridDigests } from "./renewal.ts";
import type { InstanceKeys } from "./request.ts";
import { anyList, distributionPoint } from "./revocations.ts";
import type { Binding, Enrolment } from "./types.ts";
import { x509 } from "./x509.ts";

/** Life of an instance's certificates, seconds, unless it is configured. */
export const CERTIFICATE_SECONDS = 24 * 3600;

export type Ceremony = {
  /** Id of the new instance, a random UUID. */
  instance: string;
  tenant: string;
  binding: Binding;
  /** The tenant's. */
  level: Level;
  keys: InstanceKeys;
  /** Milliseconds since 1970. */
  now: number;
  /** End of the custodian's own certificate, which no instance of it outlives; seconds since 1970. */
  until: number;
  /** Of the certificates, seconds. */
  life: number;
  /** Of a renewal: the first instance in its line. */
  line?: string;
  /** When evidence was shown, seconds since 1970; null where none was. */
  attested: number | null;
  /** The tenant's vault, whose lists of revoked certificates they name. */
  vault: string;
} & InstanceFacts;

/** Issues the certificates and registers the recipient, each at its HSM. Throws what the HSM throws. */
export async function certify(
  hsm: Hsm,
  recipients: Hsm,
  ceremony: Ceremony,
): Promise<{ record: NewInstance; enrolled: Enrolment }> {
  const { instance, tenant, method, tier, binding, level, keys, now, until, life, line, attested } = ceremony;
  const { vault, registers } = ceremony;
  const list = anyList();
  const revocationList = distributionPoint(vault, list);
  const enrolledAt = seconds(now);
  const notAfter = Math.min(enrolledAt + life, until);
  const order = (use: CertificateOrder["use"], spki: Uint8Array<ArrayBuffer>): CertificateOrder => {
    return { instance, tenant, binding, method, tier, level, list, revocationList, now, notAfter, spki, use };
  };
  const { hybrid } = keys;
  const [identity, wrapping, certified, issuer, root, trust] = await Promise.all([
    issue(hsm, order("identity", keys.identity)),
    issue(hsm, order("wrapping", keys.wrapping)),
    hybrid &&
      Promise.all([issue(hsm, order("agreement", hybrid.agreement)), issue(hsm, order("kem", hybrid.kem))]),
    hsm.certificate(INSTANCES_CA.certificate),
    hsm.certificate(ROOT_CA.certificate),
    hsm.opaque(TRUST_LIST),
  ]);
  // Past by the clock of the HSM too.
  const activation = new Date(now - CLOCK_TOLERANCE * 1000);
  const hsmKey = await registerRecipient(recipients, {
    instance,
    certificate: wrapping,
    spki: keys.wrapping,
    modulusLength: keys.wrappingModulusLength,
    activation,
  });
  const hybridKey =
    hybrid && certified
      ? await registerHybrid(recipients, {
          instance,
          agreement: { certificate: certified[0], spki: hybrid.agreement },
          kem: { certificate: certified[1], spki: hybrid.kem },
          activation,
        })
      : null;
  const given = hybridKey === null || !certified ? undefined : { key: hybridKey, certificates: certified };
  const record: NewInstance = {
    id: instance,
    binding,
    method,
    tier,
    level,
    identityThumbprint: keys.identityThumbprint,
    identityCertificateDigest: await digest(identity),
    wrappingCertificateDigest: await digest(wrapping),
    hsmKey,
    hybrid: given && { key: given.key, certificates: await hybridDigests(given.certificates) },
    enrolled: enrolledAt,
    notAfter,
    serials: [identity, wrapping, ...(certified ?? [])].map(
      (der) => new x509.X509Certificate(der).serialNumber,
    ),
    ...{ list, line, attested, registers: registers ?? null },
  };
  const enrolled: Enrolment = {
    instance,
    method,
    identityCertificate: encodeBase64url(identity),
    wrappingCertificate: encodeBase64url(wrapping),
    chain: [encodeBase64url(issuer), encodeBase64url(root)],
    trust: new TextDecoder().decode(trust),
    custodian: binding.custodian,
    origin: binding.origin,
    notAfter,
    ...(given && {
      hybrid: {
        agreementCertificate: encodeBase64url(given.certificates[0]),
        kemCertificate: encodeBase64url(given.certificates[1]),
      },
    }),
  };
  return { record, enrolled };
}
