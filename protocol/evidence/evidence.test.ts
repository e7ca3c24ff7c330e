import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "../base64url.ts";
import { encode, INTEGER, objectIdentifier, SEQUENCE } from "./der.ts";
import { parseCertificate, signedRequest, verifyChain } from "./index.ts";
import { signatureFromDer, signatureToDer } from "./signature.ts";

const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const { subtle } = crypto;
const now = Date.parse("2026-11-22T00:00:00Z");
let keys: CryptoKeyPair;
let spki: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  keys = await subtle.generateKey(ecdsa, false, ["sign", "verify"]);
  spki = new Uint8Array(await subtle.exportKey("spki", keys.publicKey));
});

const sign = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await subtle.sign(ecdsa, keys.privateKey, bytes));

it("writes requests that an X.509 library reads and verifies", async () => {
  for (const nonce of [
    new Uint8Array(32).fill(7),
    new Uint8Array(32).fill(255),
    crypto.getRandomValues(new Uint8Array(32)),
  ]) {
    const challengePassword = encodeBase64url(nonce);
    const der = await signedRequest({ commonName: "Instanz für Ärzte", spki, challengePassword }, sign);
    const request = new x509.Pkcs10CertificateRequest(der);
    expect(await request.verify()).toBe(true);
    expect(request.subject).toBe("CN=Instanz für Ärzte");
    expect((request.attributes[0] as x509.ChallengePasswordAttribute).password).toBe(challengePassword);
    expect(new Uint8Array(request.publicKey.rawData)).toEqual(spki);
  }
});

it("turns signatures into DER and back, whatever their leading bytes", () => {
  for (const [r, s] of [
    [0x00, 0x01],
    [0x80, 0x7f],
    [0xff, 0x00],
  ] as const) {
    const raw = new Uint8Array(64).fill(0x55);
    raw[0] = r;
    raw[1] = r;
    raw[32] = s;
    expect(signatureFromDer(signatureToDer(raw))).toEqual(raw);
  }
  expect(signatureFromDer(signatureToDer(new Uint8Array(64)))).toEqual(new Uint8Array(64));
  const one = encode(INTEGER, new Uint8Array([1]));
  expect(() => signatureFromDer(encode(SEQUENCE, one))).toThrow(TypeError);
  expect(() => signatureFromDer(encode(SEQUENCE, one, encode(INTEGER, new Uint8Array([0x80]))))).toThrow(
    TypeError,
  );
  expect(() => signatureFromDer(encode(SEQUENCE, one, encode(INTEGER, new Uint8Array([0, 1]))))).toThrow(
    TypeError,
  );
  expect(() => signatureFromDer(encode(SEQUENCE, one, one, one))).toThrow(TypeError);
});

it("writes object identifiers and long lengths", () => {
  expect(Buffer.from(objectIdentifier("1.2.840.113549.1.9.7")).toString("hex")).toBe(
    "06092a864886f70d010907",
  );
  expect(
    Buffer.from(encode(4, new Uint8Array(300)))
      .subarray(0, 4)
      .toString("hex"),
  ).toBe("0482012c");
});

async function issue(
  subject: string,
  publicKey: CryptoKey,
  issuer: string,
  signingKey: CryptoKey,
  notAfter = now + 1e9,
) {
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer,
    publicKey,
    signingKey,
    signingAlgorithm: ecdsa,
    serialNumber: "01",
    notBefore: new Date(now - 1000),
    notAfter: new Date(notAfter),
  });
  return { der: new Uint8Array(made.rawData), made };
}

it("verifies a chain to the pinned root, and nothing else", async () => {
  const [rsa, ca] = await Promise.all([
    subtle.generateKey(
      { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      false,
      ["encrypt", "decrypt"],
    ),
    subtle.generateKey(ecdsa, false, ["sign", "verify"]),
  ]);
  const root = await issue("CN=Root", keys.publicKey, "CN=Root", keys.privateKey);
  const middle = await issue("CN=CA", ca.publicKey, "CN=Root", keys.privateKey);
  const leaf = await issue("CN=Leaf", rsa.publicKey, "CN=CA", ca.privateKey);
  const chain = [leaf, middle, root].map(({ der }) => parseCertificate(der));
  expect(chain[0]!.notAfter).toBe(leaf.made.notAfter.getTime());
  expect(chain[0]!.spki).toEqual(new Uint8Array(await subtle.exportKey("spki", rsa.publicKey)));
  await verifyChain(subtle, chain, spki, now);

  const caSpki = new Uint8Array(await subtle.exportKey("spki", ca.publicKey));
  await expect(verifyChain(subtle, chain, caSpki, now)).rejects.toThrow("another root");
  await expect(verifyChain(subtle, [], spki, now)).rejects.toThrow("another root");
  await expect(verifyChain(subtle, chain, spki, now + 2e9)).rejects.toThrow("not valid now");
  await expect(verifyChain(subtle, chain, spki, now - 9999)).rejects.toThrow("not valid now");
  await expect(verifyChain(subtle, [chain[0]!, chain[2]!], spki, now)).rejects.toThrow("another issuer");
  const forged = parseCertificate((await issue("CN=Leaf", rsa.publicKey, "CN=CA", keys.privateKey)).der);
  await expect(verifyChain(subtle, [forged, ...chain.slice(1)], spki, now)).rejects.toThrow("bad signature");
});

it("refuses every cut of a certificate and does not hang on noise", async () => {
  const { der } = await issue("CN=Root", keys.publicKey, "CN=Root", keys.privateKey);
  for (let length = 0; length < der.length; length++) {
    expect(() => parseCertificate(der.subarray(0, length))).toThrow(TypeError);
  }
  expect(() => parseCertificate(new Uint8Array([...der, 0]))).toThrow(TypeError);
});
