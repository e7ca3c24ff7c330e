import "reflect-metadata";
import { generateKeyPairSync, verify } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { concat, utf8 } from "#protocol/bytes.ts";
import { IDENTITY, policy, SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { signingInput } from "#protocol/keys/index.ts";
import type { CryptographicParameters, KmipClient } from "#protocol/kmip/index.ts";
import { REASON, type RevocationList, revocationListToSign } from "#protocol/pki/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { keyBytes, PAST, registerCertificate } from "../testing/hierarchy.ts";
import { allDenied, denied, refused } from "../testing/refusal.ts";

let test: TestHsm;
let officer: KmipClient;
let kms: KmipClient;
let ra: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  [officer, kms, ra] = [test.as(IDENTITY.officer), test.as(IDENTITY.kms), test.as(IDENTITY.ra)];
}, 30_000);
afterAll(() => test.close());

const ES256: CryptographicParameters = { digitalSignatureAlgorithm: "ECDSAWithSHA256" };
const kid = "k".repeat(43);

/** A P-256 pair of the officer's; `signs` is its SignType. */
async function signer(users: string, signs?: string) {
  const vendorAttributes = [policy("Users", users), ...(signs ? [policy("SignType", signs)] : [])];
  const pair = await officer.request("CreateKeyPair", {
    commonAttributes: { cryptographicAlgorithm: "ECDSA", cryptographicLength: 256, activationDate: PAST },
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"], vendorAttributes },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"], vendorAttributes: [policy("Users", "*")] },
  });
  const uniqueIdentifier = pair.publicKeyUniqueIdentifier;
  const spki = keyBytes(await officer.request("Get", { uniqueIdentifier, keyFormatType: "X_509" }));
  return { uid: pair.privateKeyUniqueIdentifier, spki };
}

const signs = (client: KmipClient, uniqueIdentifier: string, data: Uint8Array, more: object = {}) =>
  client.request("Sign", {
    uniqueIdentifier,
    data: new Uint8Array(data),
    cryptographicParameters: ES256,
    ...more,
  });

const b64 = (text: string) => Buffer.from(text).toString("base64url");

describe("a key that signs receipts", () => {
  const typ = SIGN_TYPE.receipt;
  const good = utf8(signingInput({ typ, kid }, { version: 1 }));

  it("signs receipts, with a signature that verifies", async () => {
    const { uid, spki } = await signer(IDENTITY.kms, typ);
    const { signatureData } = await signs(kms, uid, good);
    const key = { key: Buffer.from(spki), format: "der", type: "spki" } as const;
    expect(verify("sha256", good, key, signatureData!)).toBe(true);
  });

  it("signs nothing else: no other type, no other header, no bytes of the asker's choice", async () => {
    const { uid } = await signer(IDENTITY.kms, typ);
    const header = (value: unknown) => utf8(`${b64(JSON.stringify(value))}.${b64("{}")}`);
    const raw = (text: string) => utf8(`${b64(text)}.${b64("{}")}`);
    const attempt = (data: Uint8Array, more: object = {}) => signs(kms, uid, data, more);
    await allDenied({
      bytes: attempt(Uint8Array.of(1, 2, 3)),
      "no payload": attempt(utf8(b64(JSON.stringify({ alg: "ES256", typ, kid })))),
      "an empty payload": attempt(utf8(`${b64(JSON.stringify({ alg: "ES256", typ, kid }))}.`)),
      "a whole token": attempt(concat(good, utf8(".AAAA"))),
      "an access token": attempt(header({ alg: "ES256", typ: SIGN_TYPE.token, kid })),
      "an EDK": attempt(header({ alg: "ES256", typ: SIGN_TYPE.edk, kid })),
      "another alg": attempt(header({ alg: "none", typ, kid })),
      "no kid": attempt(header({ alg: "ES256", typ })),
      "a short kid": attempt(header({ alg: "ES256", typ, kid: "k" })),
      "a kid that is an object": attempt(header({ alg: "ES256", typ, kid: {} })),
      jku: attempt(header({ alg: "ES256", typ, kid, jku: "https://x" })),
      "jku before": attempt(header({ jku: "https://x", alg: "ES256", typ, kid })),
      "another order": attempt(header({ typ, alg: "ES256", kid })),
      "a member twice": attempt(raw(`{"alg":"ES256","typ":SIGN_TYPE.token,"typ":"${typ}","kid":"${kid}"}`)),
      "white space": attempt(raw(`{"alg":"ES256","typ":"${typ}", "kid":"${kid}"}`)),
      "not canonical base64url": attempt(
        concat(utf8(`${b64(JSON.stringify({ alg: "ES256", typ, kid }))}=`), utf8(".e30")),
      ),
      "a line feed at the end": attempt(concat(good, Uint8Array.of(10))),
      "too long": attempt(utf8(signingInput({ typ, kid }, { a: "a".repeat(9000) }))),
      "another hash": attempt(good, { cryptographicParameters: { hashingAlgorithm: "SHA_1" } }),
      "another algorithm": attempt(good, {
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA384" },
      }),
      "a second word on the hash": attempt(good, {
        cryptographicParameters: { ...ES256, hashingAlgorithm: "SHA_1" },
      }),
      "no parameters": attempt(good, { cryptographicParameters: undefined }),
      "a digest": attempt(good, { data: undefined, digestedData: new Uint8Array(32) }),
      "a digest beside it": attempt(good, { digestedData: new Uint8Array(32) }),
    });
    for (const piece of [
      { initIndicator: true },
      { finalIndicator: true },
      { correlationValue: new Uint8Array(16), finalIndicator: true },
    ])
      await denied(attempt(good, piece));
  });

  it("keeps its type, which the officer sets once", async () => {
    const { uid } = await signer(IDENTITY.kms, typ);
    const change = (signType: string) =>
      officer.request("SetAttribute", {
        uniqueIdentifier: uid,
        newAttribute: { vendorAttributes: [policy("SignType", signType)] },
      });
    await denied(change(SIGN_TYPE.token));
    await denied(change("anything"));
    await denied(
      officer.request("DeleteAttribute", {
        uniqueIdentifier: uid,
        attributeReference: policy("SignType", typ),
      }),
    );
    await signs(kms, uid, good);
    const next = await officer.request("ReKeyKeyPair", { privateKeyUniqueIdentifier: uid, offset: 0 });
    await signs(kms, next.privateKeyUniqueIdentifier, good);
    await denied(signs(kms, next.privateKeyUniqueIdentifier, Uint8Array.of(1)));
  });

  it("and a key of no type signs for none of the domains", async () => {
    const { uid } = await signer("*");
    for (const client of [kms, ra, test.as(IDENTITY.iam), test.as(IDENTITY.audit)])
      await denied(signs(client, uid, good));
    expect((await signs(officer, uid, Uint8Array.of(1))).signatureData?.length).toBeGreaterThan(60);
  });
});

describe("an authority's key", () => {
  const AUTHORITY = "CN=Test instances CA, O=Coffer";
  const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const subject = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const flags = x509.KeyUsageFlags;
  const leaf = () => [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(flags.keyEncipherment, true),
  ];
  let key: { uid: string; spki: Uint8Array };
  let certificate: string;

  /** The to-be-signed bytes of a certificate, as any issuer makes them. */
  async function tbs(issuer: string, extensions: x509.Extension[]): Promise<Uint8Array<ArrayBuffer>> {
    const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const made = await x509.X509CertificateGenerator.create({
      subject: "CN=instance, OU=microservice, O=test",
      issuer,
      publicKey: new Uint8Array(subject.export({ format: "der", type: "spki" })),
      signingKey: keys.privateKey,
      signingAlgorithm: P256,
      notBefore: PAST,
      notAfter: new Date(Date.now() + 3600_000),
      extensions,
    });
    // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, … }, both with lengths of two bytes.
    const der = new Uint8Array(made.rawData);
    const at = 2 + (der[1]! & 0x7f);
    const header = 2 + (der[at + 1]! & 0x7f);
    const length = Number.parseInt(Buffer.from(der.subarray(at + 2, at + header)).toString("hex"), 16);
    return der.slice(at, at + header + length);
  }

  beforeAll(async () => {
    key = await signer(IDENTITY.ra, "certificate");
    const root = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const made = await x509.X509CertificateGenerator.create({
      subject: AUTHORITY,
      issuer: "CN=root",
      publicKey: new Uint8Array(key.spki),
      signingKey: root.privateKey,
      signingAlgorithm: P256,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    });
    certificate = await registerCertificate(officer, new Uint8Array(made.rawData));
  });

  it("signs certificates of leaves in its own name", async () => {
    const { signatureData } = await signs(ra, key.uid, await tbs(AUTHORITY, leaf()));
    expect(signatureData?.length).toBeGreaterThan(60);
  });

  it("signs no authority, no other issuer's certificate, no JWS, nothing else", async () => {
    const attempt = async (data: Uint8Array | Promise<Uint8Array>) => signs(ra, key.uid, await data);
    const good = await tbs(AUTHORITY, leaf());
    const version1 = Buffer.from(good);
    version1[version1.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02])) + 4] = 0;
    const usage = new x509.KeyUsagesExtension(flags.keyEncipherment, true);
    await allDenied({
      "an authority": attempt(tbs(AUTHORITY, [new x509.BasicConstraintsExtension(true, 0, true), usage])),
      "no constraints": attempt(tbs(AUTHORITY, [usage])),
      "a leaf that signs certificates": attempt(
        tbs(AUTHORITY, [leaf()[0]!, new x509.KeyUsagesExtension(flags.keyCertSign, true)]),
      ),
      "a leaf that signs revocation lists": attempt(
        tbs(AUTHORITY, [leaf()[0]!, new x509.KeyUsagesExtension(flags.cRLSign, true)]),
      ),
      "no usage": attempt(tbs(AUTHORITY, [leaf()[0]!])),
      "constraints twice": attempt(
        tbs(AUTHORITY, [...leaf(), new x509.BasicConstraintsExtension(true, undefined, true)]),
      ),
      "the root's name": attempt(tbs("CN=root", leaf())),
      "no name": attempt(tbs("", leaf())),
      "version 1": attempt(version1),
      "something behind it": attempt(concat(good, Uint8Array.of(5, 0))),
      "a piece of it": attempt(good.subarray(0, -1)),
      "a JWS": attempt(utf8(signingInput({ typ: SIGN_TYPE.receipt, kid }, {}))),
      "a sequence": attempt(Uint8Array.of(0x30, 0)),
      nothing: attempt(new Uint8Array()),
    });
  });

  describe("revocation lists", () => {
    const at = Math.floor(Date.now() / 1000);
    const nameOf = (text: string) => new Uint8Array(new x509.Name(text).toArrayBuffer());
    const list = (over: Partial<RevocationList> = {}) =>
      revocationListToSign({
        ...{
          issuer: nameOf(AUTHORITY),
          keyIdentifier: new Uint8Array(20),
          number: 1,
          thisUpdate: at,
          nextUpdate: at + 86_400,
        },
        revoked: [{ serial: "4001", at: at - 5, reason: REASON.superseded }],
        ...{ distributionPoint: "https://vault.example/ra/revocations", ...over },
      });

    it("M20 signs those of its own certificates, of now and good for days at the most", async () => {
      for (const good of [list(), list({ revoked: [] })])
        expect((await signs(ra, key.uid, good)).signatureData?.length).toBeGreaterThan(60);
    });

    it("M20 signs no other: of another authority, of the future, good for years, a delta, some reasons, cut, longer", async () => {
      const attempt = (data: Uint8Array) => signs(ra, key.uid, data);
      const good = list();
      const changed = (from: string, to: string) => {
        const text = Buffer.from(good).toString("hex");
        expect(text.split(from), from).toHaveLength(2);
        return Buffer.from(text.replace(from, to), "hex");
      };
      await allDenied({
        "the root's name": attempt(list({ issuer: nameOf("CN=root") })),
        "of the future": attempt(list({ thisUpdate: at + 4000, nextUpdate: at + 86_400 })),
        "of the past": attempt(list({ thisUpdate: at - 86_400 })),
        "good for years": attempt(list({ nextUpdate: at + 400 * 86_400 })),
        "good for no time": attempt(list({ nextUpdate: at - 1 })),
        // deltaCRLIndicator in the place of cRLNumber, another version, another algorithm.
        "a delta": attempt(changed("0603551d14", "0603551d1b")),
        "version 1": attempt(changed("020101300a", "020100300a")),
        "SHA-512": attempt(changed("06082a8648ce3d040302", "06082a8648ce3d040304")),
        "the point not critical": attempt(changed("0603551d1c0101ff", "0603551d1c010100")),
        "something behind it": attempt(concat(good, Uint8Array.of(5, 0))),
        "a piece of it": attempt(good.subarray(0, -1)),
      });
      await refused(signs(kms, key.uid, good)).toBe("ObjectNotFound");
    });
  });

  it("signs nothing once its certificate is revoked", async () => {
    const data = await tbs(AUTHORITY, leaf());
    await signs(ra, key.uid, data);
    await officer.request("Destroy", { uniqueIdentifier: certificate });
    await denied(signs(ra, key.uid, data));
    await refused(signs(kms, key.uid, data)).toBe("ObjectNotFound");
  });
});
