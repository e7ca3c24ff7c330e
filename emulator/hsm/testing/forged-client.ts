import "reflect-metadata";
import { readFile } from "node:fs/promises";
import * as x509 from "@peculiar/x509";
import type { KeyAndCertificate, Pki } from "../identity/pki.ts";

/** For tests: client certificates that are wrong in one way. */

export interface Forgery {
  authority?: "client" | "other";
  usage?: x509.ExtendedKeyUsageType | undefined;
  names?: string[];
  notAfter?: Date;
  ca?: boolean;
}

/** A client certificate that is wrong in one way, signed by the real client authority where that is not the way. */
export async function forged(pki: Pki, forgery: Forgery): Promise<KeyAndCertificate> {
  const { authority = "client", names = ["alice"], ca = false } = forgery;
  const usage = "usage" in forgery ? forgery.usage : x509.ExtendedKeyUsage.clientAuth;
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const pem = await readFile(`${pki.dir}/client-ca.key`, "utf8");
  const signingKey =
    authority === "other"
      ? keys.privateKey
      : await crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), algorithm, false, [
          "sign",
        ]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ["Coffer"] }, ...names.map((name) => ({ CN: [name] }))],
    issuer: new x509.X509Certificate(pki.clientCa).subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3600_000),
    notAfter: forgery.notAfter ?? new Date(Date.now() + 3600_000),
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | (ca ? x509.KeyUsageFlags.keyCertSign : 0),
        true,
      ),
      ...(usage ? [new x509.ExtendedKeyUsageExtension([usage])] : []),
    ],
  });
  const key = x509.PemConverter.encode(
    await crypto.subtle.exportKey("pkcs8", keys.privateKey),
    "PRIVATE KEY",
  );
  return { cert: certificate.toString("pem"), key };
}
