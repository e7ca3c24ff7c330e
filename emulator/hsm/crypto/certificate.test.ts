import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { expect, it } from "vitest";
import { describeCertificate } from "./certificate.ts";

it.each([
  ["ec0b7402196d5295", "020900ec0b7402196d5295"],
  ["7c", "02017c"],
  ["80".repeat(130), `02818300${"80".repeat(130)}`],
])("gives the serial number %s as the certificate has it", async (serialNumber, der) => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const name = "CN=Test";
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    serialNumber,
    keys,
    signingAlgorithm: algorithm,
  });
  const bytes = new Uint8Array(certificate.rawData);
  expect(Buffer.from(bytes).toString("hex")).toContain(`${der}30`);
  const { certificateIdentifier, x_509CertificateIdentifier } = describeCertificate(bytes);
  expect(certificateIdentifier?.serialNumber).toBe(serialNumber.toUpperCase());
  const identifier = x_509CertificateIdentifier?.certificateSerialNumber;
  expect(Buffer.from(identifier ?? []).toString("hex")).toBe(der);
});
