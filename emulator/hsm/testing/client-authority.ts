import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { KeyAndCertificate } from "../identity/pki.ts";

/** For tests: an authority of the user's own that names clients, with `coffer hsm --client-ca`. */
export interface TestAuthority {
  cert: string;
  /** A client's certificate with that common name. */
  issue(name: string, usage?: x509.ExtendedKeyUsageType): Promise<KeyAndCertificate>;
  /** An authority below it. */
  below(subject: string, limit?: x509.Extension): Promise<TestAuthority>;
}

interface Signer {
  subject: string;
  key: CryptoKey;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** One with that subject (a Distinguished Name), signed by itself where no other does. */
export async function testAuthority(
  subject: string,
  issuer?: Signer,
  limit?: x509.Extension,
): Promise<TestAuthority> {
  const keys = await makeKeys();
  const self: Signer = { subject, key: keys.privateKey };
  const certificate = await sign(subject, keys.publicKey, issuer ?? self, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ...(limit ? [limit] : []),
  ]);
  return {
    cert: certificate.toString("pem"),
    issue: async (name, usage = x509.ExtendedKeyUsage.clientAuth) => {
      const client = await makeKeys();
      const leaf = await sign(`CN=${name}`, client.publicKey, self, [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
      ]);
      const key = await crypto.subtle.exportKey("pkcs8", client.privateKey);
      return { cert: leaf.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
    },
    below: (name, limit) => testAuthority(name, self, limit),
  };
}

const makeKeys = () => crypto.subtle.generateKey(P256, true, ["sign", "verify"]);

const sign = (subject: string, publicKey: CryptoKey, issuer: Signer, extensions: x509.Extension[]) =>
  x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.subject,
    publicKey,
    signingKey: issuer.key,
    signingAlgorithm: P256,
    notBefore: new Date(Date.now() - 3600_000),
    notAfter: new Date(Date.now() + 3600_000),
    extensions,
  });
