/** The certificates of an instance: what stands in them, and their issue by the CA whose key is in the HSM. */

import { encodeHex } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import type { MethodName } from "#protocol/enrolment.ts";
import { INSTANCES_CA } from "#protocol/hierarchy/index.ts";
import type { Level } from "#protocol/level.ts";
import { LEVEL_POLICY, METHOD_POLICY, TIER_POLICY } from "#protocol/pki/index.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { certificateCrypto, certificateSigningKey, type Hsm } from "../hsm/index.ts";
import type { Binding } from "./types.ts";
import { x509 } from "./x509.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

const { digitalSignature, keyEncipherment, keyAgreement } = x509.KeyUsageFlags;
const USES = {
  identity: digitalSignature,
  wrapping: keyEncipherment,
  agreement: keyAgreement,
  kem: keyEncipherment,
} as const;

export type CertificateOrder = {
  instance: string;
  tenant: string;
  binding: Binding;
  method: MethodName;
  tier: Tier;
  /** Milliseconds since 1970. */
  now: number;
  /** Seconds since 1970. */
  notAfter: number;
  /** SubjectPublicKeyInfo of the key to certify. */
  spki: Uint8Array<ArrayBuffer>;
  /** `agreement` and `kem`: of a hybrid recipient. */
  use: "identity" | "wrapping" | "agreement" | "kem";
  /** The tenant's release level: the HSM releases no more to it. */
  level: Level;
  /** The list in which it stands once it is revoked: the last octet of its serial number. And where that list is. */
  list: number;
  revocationList: string;
};

/** Issues one, which begins early enough for a clock that is behind. The subject is ours, whatever the request said: `CN=<instance>,OU=microservice,O=<tenant>`. Returns DER. */
export async function issue(hsm: Hsm, order: CertificateOrder): Promise<Uint8Array<ArrayBuffer>> {
  const ca = new x509.X509Certificate(await hsm.certificate(INSTANCES_CA.certificate));
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(USES[order.use], true),
    // The one custodian that this instance serves (M13).
    new x509.SubjectAlternativeNameExtension([{ type: "dn", value: order.binding.custodian }]),
    new x509.CertificatePolicyExtension(policiesOf(order)),
    await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey, false, crypto),
    new x509.CRLDistributionPointsExtension([order.revocationList]),
  ];
  if (order.use === "identity") extensions.push(new x509.ExtendedKeyUsageExtension([CLIENT_AUTH]));
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(order.list),
      subject: [{ CN: [order.instance] }, { OU: ["microservice"] }, { O: [order.tenant] }],
      issuer: ca.subjectName,
      notBefore: new Date(order.now - CLOCK_TOLERANCE * 1000),
      notAfter: new Date(order.notAfter * 1000),
      publicKey: order.spki,
      signingKey: certificateSigningKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions,
    },
    certificateCrypto(hsm, INSTANCES_CA.key),
  );
  return new Uint8Array(made.rawData);
}

/** Method and tier; and in a certificate to which keys are wrapped the level, by which the HSM knows what may be wrapped to it. None is `data`. */
function policiesOf({ method, tier, use, level }: CertificateOrder): string[] {
  const says = [METHOD_POLICY[method], TIER_POLICY[tier]];
  return use === "identity" || level === "data" ? says : [...says, LEVEL_POLICY[level]];
}

/** 118 random bits before the octet of the list, positive and never zero at the front (RFC 5280 §4.1.2.2). */
function serialNumber(list: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const [first = 0] = bytes;
  bytes[0] = (first & 0x3f) | 0x40;
  bytes[15] = list;
  return encodeHex(bytes);
}
