import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { encodeBase64url } from "#protocol/base64url.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { CUSTODIANS_CA, ROOT_CA } from "#protocol/hierarchy/index.ts";
import { type EcPublicJwk, spkiFromJwk } from "#protocol/keys/index.ts";
import { certificateCrypto, certificateSigningKey, type Hsm } from "../hsm/index.ts";

/**
 * Certifies a custodian's DPoP key (M5): subject is its Distinguished Name, digitalSignature and client authentication
 * only. It begins early enough for a clock that is behind. The issuer's key is in the HSM. Answers DER.
 */
export async function certifyCustodian(
  hsm: Hsm,
  custodian: { dn: string; key: EcPublicJwk; origin: string; now: number; notAfter: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const { dn, key, origin, now, notAfter } = custodian;
  const authority = new x509.X509Certificate(await hsm.certificate(CUSTODIANS_CA.certificate));
  const provider = certificateCrypto(hsm, CUSTODIANS_CA.key);
  const spki = spkiFromJwk(key);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: dn,
      issuer: authority.subjectName,
      notBefore: new Date((now - CLOCK_TOLERANCE) * 1000),
      notAfter: new Date(notAfter * 1000),
      publicKey: spki,
      signingKey: certificateSigningKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: origin }]),
        await x509.SubjectKeyIdentifierExtension.create(new x509.PublicKey(spki), false, provider),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, provider),
      ],
    },
    provider,
  );
  return new Uint8Array(certificate.rawData);
}

/** What a custodian's certificate leads to the root by: the issuer's and the root's, base64url DER. The microservice verifies it (M14). */
export async function authoritiesOf(hsm: Hsm): Promise<string[]> {
  const found = await Promise.all(
    [CUSTODIANS_CA, ROOT_CA].map(({ certificate }) => hsm.certificate(certificate)),
  );
  return found.map(encodeBase64url);
}
