import { X509Certificate } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { INSTANCES_CA } from "#protocol/hierarchy/index.ts";
import { instanceLevel, instanceTier, parseCertificate, verifyChain } from "#protocol/pki/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { type CertificateOrder, issue } from "./certificate.ts";
import { x509 } from "./x509.ts";

const EC = { name: "ECDSA", namedCurve: "P-256" };
const SIGN = { name: "ECDSA", hash: "SHA-256" };
let ca: x509.X509Certificate;
let hsm: Hsm;
let spki: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  const keys = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const subject = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  spki = new Uint8Array(await crypto.subtle.exportKey("spki", subject.publicKey));
  ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: INSTANCES_CA.subject,
    keys,
    signingAlgorithm: SIGN,
    notBefore: new Date(1_799_000_000_000),
    notAfter: new Date(1_900_000_000_000),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  hsm = {
    certificate: async (name: string) => {
      expect(name).toBe(INSTANCES_CA.certificate);
      return new Uint8Array(ca.rawData);
    },
    sign: async (name: string, data: Uint8Array<ArrayBuffer>) => {
      expect(name).toBe(INSTANCES_CA.key);
      return new Uint8Array(await crypto.subtle.sign(SIGN, keys.privateKey, data));
    },
  } as unknown as Hsm;
});

const order = (use: "identity" | "wrapping"): CertificateOrder => ({
  instance: "11111111-2222-4333-8444-555555555555",
  tenant: "acme, inc",
  binding: {
    user: "u1",
    custodian: "CN=u1,OU=page,O=acme",
    client: "page",
    jkt: "t",
    origin: "https://app.example",
  },
  method: "grant",
  tier: "software",
  now: 1_800_000_000_000,
  notAfter: 1_800_086_400,
  spki,
  use,
  level: "data",
  list: 7,
  revocationList: "https://vault.example/ra/revocations/7",
});

it("names the tenant's level in a wrapping certificate alone, and level data by nothing", async () => {
  const levelOf = async (use: "identity" | "wrapping", level: CertificateOrder["level"]) =>
    instanceLevel(parseCertificate(await issue(hsm, { ...order(use), level })));
  expect(await levelOf("wrapping", "master")).toBe("master");
  expect(await levelOf("wrapping", "account")).toBe("account");
  expect(await levelOf("wrapping", "data")).toBe("data");
  expect(await levelOf("identity", "master")).toBe("data");
});

it("M4 issues certificates that say whose, for what, by which method and tier", async () => {
  const der = await issue(hsm, order("identity"));
  const node = new X509Certificate(der);
  expect(node.verify(new X509Certificate(new Uint8Array(ca.rawData)).publicKey)).toBe(true);
  expect(node.ca).toBe(false);
  expect(node.subject.split("\n")).toEqual([
    "CN=11111111-2222-4333-8444-555555555555",
    "OU=microservice",
    "O=acme\\, inc",
  ]);
  expect(node.validToDate.getTime()).toBe(1_800_086_400_000);

  const certificate = new x509.X509Certificate(der);
  expect(certificate.issuer).toBe(ca.subject);
  expect(certificate.serialNumber).toMatch(/^[4-7][0-9a-f]{29}07$/);
  expect(certificate.getExtension(x509.CRLDistributionPointsExtension)?.distributionPoints).toMatchObject([
    {
      distributionPoint: {
        fullName: [{ uniformResourceIdentifier: "https://vault.example/ra/revocations/7" }],
      },
    },
  ]);
  expect(certificate.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.digitalSignature);
  expect(certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect(certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
    { type: "dn", value: "CN=u1, OU=page, O=acme" },
  ]);
  expect(certificate.getExtension(x509.CertificatePolicyExtension)?.policies).toHaveLength(2);
});

it("issues what the microservice's own parser verifies", async () => {
  const authority = parseCertificate(new Uint8Array(ca.rawData));
  for (const use of ["identity", "wrapping"] as const) {
    const { binding, method, now, tier } = { ...order(use), tier: "hardware" as const };
    const leaf = parseCertificate(await issue(hsm, { ...order(use), tier }));
    expect(leaf.spki).toEqual(spki);
    await verifyChain(crypto.subtle, [leaf, authority], authority.spki, now);
    expect(instanceTier(leaf, { use, custodian: binding.custodian, method })).toBe("hardware");
  }
});

it("issues a wrapping certificate for key encipherment alone", async () => {
  const certificate = new x509.X509Certificate(await issue(hsm, order("wrapping")));
  expect(certificate.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.keyEncipherment);
  expect(certificate.getExtension(x509.ExtendedKeyUsageExtension)).toBeNull();
});
