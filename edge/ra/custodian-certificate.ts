/** What a custodian's certificate has to say before a grant is given under it (M5). The row in the IAM is not proof. */

import { encodeHex } from "#protocol/bytes.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { Custodian } from "../iam/types.ts";
import { x509 } from "./x509.ts";

/**
 * Verifies the certificate (DER, as the IAM keeps it) under the custodians CA's certificate (DER, from the HSM): issued
 * and signed by it, within its time, for this Distinguished Name and this DPoP key, an end entity that may sign and no
 * more. Throws `Error` with the reason, for the audit log. `now` in seconds.
 */
export async function verifyCustodianCertificate(
  { certificate: der, dn, jkt }: Pick<Custodian, "certificate" | "dn" | "jkt">,
  authority: Uint8Array<ArrayBuffer>,
  now: number,
): Promise<void> {
  const ca = new x509.X509Certificate(authority);
  const certificate = new x509.X509Certificate(der);
  const at = now * 1000;
  for (const [name, bytes] of [
    ["authority", authority],
    ["certificate", der],
  ] as const) {
    // By our own reader: the library takes 30 February for 2 March.
    const { notBefore, notAfter } = parseCertificate(bytes);
    if (!(notBefore <= at && at < notAfter)) throw new Error(`${name} is not valid now`);
  }
  if (!sameName(certificate.issuerName, ca.subjectName)) throw new Error("certificate of another authority");
  const { name, hash } = certificate.signatureAlgorithm as {
    name: string;
    hash?: { name: string };
  };
  if (name !== "ECDSA" || hash?.name !== "SHA-256") throw new Error("certificate is signed by other means");
  if (!(await certificate.verify({ publicKey: ca.publicKey, signatureOnly: true })))
    throw new Error("certificate is not signed by the authority");
  if (!sameName(certificate.subjectName, new x509.Name(dn))) throw new Error("certificate has another name");
  const key = await thumbprint(jwkFromSpki(new Uint8Array(certificate.publicKey.rawData)));
  if (key !== jkt) throw new Error("certificate is for another key");
  const usage = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  if (usage !== x509.KeyUsageFlags.digitalSignature) throw new Error("certificate is for another use");
  if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca !== false)
    throw new Error("certificate is an authority's");
}

function sameName(a: x509.Name, b: x509.Name): boolean {
  return encodeHex(new Uint8Array(a.toArrayBuffer())) === encodeHex(new Uint8Array(b.toArrayBuffer()));
}
