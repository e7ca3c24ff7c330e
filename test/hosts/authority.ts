import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { TlsIdentity } from "#web/hosts/node/index.ts";

/** The authority that an operator has for the processes of one deployment. */
export interface Authority {
  /** Key and certificate of that name, for both ends of a connection. */
  issue(subject: string, more?: { notAfter?: Date }): Promise<TlsIdentity>;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR = 3600_000;

export async function makeAuthority(): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const issuer = "CN=Processes";
  const certify = (subject: string, publicKey: CryptoKey, extensions: x509.Extension[], notAfter?: Date) =>
    x509.X509CertificateGenerator.create({
      ...{ subject, issuer, publicKey, extensions, signingKey: keys.privateKey, signingAlgorithm: P256 },
      notBefore: new Date(Date.now() - HOUR),
      notAfter: notAfter ?? new Date(Date.now() + HOUR),
    });
  const ca = await certify(issuer, keys.publicKey, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
  ]);
  return {
    async issue(subject, { notAfter } = {}) {
      const own = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
      const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
      const leaf = await certify(
        subject,
        own.publicKey,
        [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([clientAuth, serverAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "microservice" }]),
        ],
        notAfter,
      );
      const key = await crypto.subtle.exportKey("pkcs8", own.privateKey);
      return {
        key: x509.PemConverter.encode(key, "PRIVATE KEY"),
        cert: leaf.toString("pem"),
        ca: ca.toString("pem"),
      };
    },
  };
}
