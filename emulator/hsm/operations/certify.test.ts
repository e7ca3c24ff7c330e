import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeHex, encodeHex, utf8 } from "#protocol/bytes.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import { BIT_STRING, CONTEXT, encode, INTEGER, objectIdentifier, SEQUENCE, SET } from "#protocol/pki/der.ts";
import { nameOfText, nameOfValues } from "#protocol/pki/distinguished-name.ts";
import { readCertificate } from "../crypto/certificate-fields.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";

let test: TestHsm;
let alice: KmipClient;
/** The same in a version that has names as text. */
let older: KmipClient;
let publicKey: string;
beforeAll(async () => {
  test = await testHsm();
  alice = test.as(await issueClient(test.pki.dir, "alice"));
  older = test.as(await issueClient(test.pki.dir, "alice"), { major: 1, minor: 0 });
  publicKey = await key({
    cryptographicAlgorithm: "EC",
    cryptographicDomainParameters: { recommendedCurve: "P_256" },
  });
});
afterAll(() => test.close());

async function key(commonAttributes: Attributes): Promise<string> {
  const pair = await alice.request("CreateKeyPair", {
    commonAttributes,
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  });
  return pair.publicKeyUniqueIdentifier as string;
}

async function certificateOf(uniqueIdentifier: unknown): Promise<Uint8Array> {
  const { object } = await alice.request("Get", { uniqueIdentifier: uniqueIdentifier as string });
  return object!.certificate!.certificateValue;
}

const subjectOf = (der: Uint8Array) => encodeHex(readCertificate(der).subject);

/** A subject of one attribute whose value has any type. */
const valued = (tag: number, bytes: Uint8Array) =>
  encode(SEQUENCE, encode(SET, encode(SEQUENCE, objectIdentifier("2.5.4.3"), encode(tag, bytes))));

/** A certificate request that its key signs, made without the code under test. */
function requestFor(
  subject: Uint8Array,
  pair: ReturnType<typeof generateKeyPairSync>,
  oid: string,
  digest?: string,
  pss?: object,
) {
  const spki = (pair.publicKey as unknown as import("node:crypto").KeyObject).export({
    format: "der",
    type: "spki",
  });
  const info = encode(SEQUENCE, encode(INTEGER, Uint8Array.of(0)), subject, spki, encode(CONTEXT));
  const parameters = pss
    ? [
        decodeHex(
          "3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120",
        ),
      ]
    : [];
  const algorithm = encode(SEQUENCE, objectIdentifier(oid), ...parameters);
  const privateKey = pair.privateKey as unknown as import("node:crypto").KeyObject;
  const signature = sign(digest, info, { key: privateKey, ...pss });
  return encode(SEQUENCE, info, algorithm, encode(BIT_STRING, new Uint8Array(1), signature));
}

describe("the subject of a certificate", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  it.each([
    [
      "comma, quote and backslash",
      nameOfValues([
        ["O", 'a, "b" \\ c'],
        ["CN", "x,O=root"],
      ]),
    ],
    [
      "leading number sign and spaces",
      nameOfValues([
        ["CN", "#1"],
        ["OU", " a "],
      ]),
    ],
    ["several attributes in one part", nameOfText("O=a+CN=b,C=DE")],
    ["PrintableString", valued(0x13, utf8("plain"))],
    ["TeletexString", valued(0x14, Uint8Array.of(0xe4, 0x2c))],
    ["BMPString", valued(0x1e, Uint8Array.of(0, 0x2b, 0x20, 0x2e))],
    ["UniversalString", valued(0x1c, Uint8Array.of(0, 1, 0xf6, 0))],
    ["NumericString", valued(0x12, utf8("12 3"))],
    ["NUL", valued(0x0c, utf8("a\0b"))],
    ["an empty value", valued(0x0c, new Uint8Array())],
    [
      "an unknown type",
      encode(SEQUENCE, encode(SET, encode(SEQUENCE, objectIdentifier("1.2.3.4"), encode(0x0c, utf8("a"))))),
    ],
    ["nothing", encode(SEQUENCE)],
  ])("is what the request has, and stays so: %s", async (_, subject) => {
    const certificateRequestValue = requestFor(subject, pair, "1.2.840.10045.4.3.2", "sha256");
    const made = await alice.request("Certify", {
      certificateRequestType: "PKCS_10",
      certificateRequestValue,
    });
    expect(subjectOf(await certificateOf(made.uniqueIdentifier))).toBe(encodeHex(subject));
    const again = await alice.request("ReCertify", { uniqueIdentifier: made.uniqueIdentifier });
    const der = await certificateOf(again.uniqueIdentifier);
    expect(subjectOf(der)).toBe(encodeHex(subject));
    expect(new X509Certificate(der).raw.equals(der)).toBe(true);
  });

  it.each([
    [
      "CN=a\\,O\\=b,O=c",
      [
        ["O", "c"],
        ["CN", "a,O=b"],
      ],
    ],
    ["CN=\\#1", [["CN", "#1"]]],
    ['CN="a, b"', [["CN", "a, b"]]],
  ] as [string, [string, string][]][])("is what the text %s says", async (text, values) => {
    const made = await older.request("Certify", {
      uniqueIdentifier: publicKey,
      attributes: { certificateSubject: { certificateSubjectDistinguishedName: text } },
    });
    expect(subjectOf(await certificateOf(made.uniqueIdentifier))).toBe(encodeHex(nameOfValues(values)));
  });

  it("has the dates of the one that it replaces, or as far from them as the Offset says", async () => {
    const at = (seconds: number) => new Date((Math.floor(Date.now() / 1000) + seconds) * 1000);
    const dates = { activationDate: at(-600), deactivationDate: at(3600) };
    const certificate = async () =>
      (await alice.request("Certify", { uniqueIdentifier: publicKey, attributes: dates })).uniqueIdentifier;
    const again = async (offset?: number) => {
      const { uniqueIdentifier } = await alice.request("ReCertify", {
        uniqueIdentifier: await certificate(),
        ...(offset === undefined ? {} : { offset }),
      });
      const { attributes } = await alice.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: ["initialDate", "activationDate", "deactivationDate"],
      });
      return [attributes.initialDate, attributes.activationDate, attributes.deactivationDate].map(
        (date) => date!.getTime() / 1000,
      ) as [number, number, number];
    };
    expect((await again()).slice(1)).toEqual(
      [dates.activationDate, dates.deactivationDate].map((one) => one.getTime() / 1000),
    );
    const [made, begins, ends] = await again(1000);
    expect([begins - made, ends - begins]).toEqual([1000, 4200]);
  });

  it("takes a common name for nothing else", async () => {
    const common = 'a,O=root+OU=b\\"\n;CN=c #';
    const made = await alice.request("Certify", {
      uniqueIdentifier: publicKey,
      attributes: { certificateSubjectCN: [common], certificateSubjectO: ["x,CN=y"] },
    });
    const name = nameOfValues([
      ["O", "x,CN=y"],
      ["CN", common],
    ]);
    expect(subjectOf(await certificateOf(made.uniqueIdentifier))).toBe(encodeHex(name));
  });

  it("is refused where the text is no name", async () => {
    for (const text of ["CN=a,", "XYZ=a", "a", 'CN="a'])
      await expect(
        older.request("Certify", {
          uniqueIdentifier: publicKey,
          attributes: { certificateSubject: { certificateSubjectDistinguishedName: text } },
        }),
      ).rejects.toMatchObject({ code: "InvalidField" });
  });
});

it("refuses a request whose subject no certificate can have", async () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = valued(0x04, Uint8Array.of(1, 2));
  const certificateRequestValue = requestFor(subject, pair, "1.2.840.10045.4.3.2", "sha256");
  await expect(
    alice.request("Certify", { certificateRequestType: "PKCS_10", certificateRequestValue }),
  ).rejects.toMatchObject({ code: "InvalidField" });
});

describe("a certificate request", () => {
  const subject = nameOfValues([["CN", "a"]]);
  const pss = { padding: 6, saltLength: 32 };
  it.each([
    ["Ed25519", generateKeyPairSync("ed25519"), "1.3.101.112", undefined, undefined],
    ["Ed448", generateKeyPairSync("ed448"), "1.3.101.113", undefined, undefined],
    [
      "secp256k1",
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
      "1.2.840.10045.4.3.2",
      "sha256",
      undefined,
    ],
    ["P-521", generateKeyPairSync("ec", { namedCurve: "P-521" }), "1.2.840.10045.4.3.4", "sha512", undefined],
    [
      "RSASSA-PSS",
      generateKeyPairSync("rsa", { modulusLength: 2048 }),
      "1.2.840.113549.1.1.10",
      "sha256",
      pss,
    ],
  ] as const)("of %s is one that its key has signed", async (_, pair, oid, digest, padding) => {
    const certificateRequestValue = requestFor(subject, pair as never, oid, digest, padding);
    const send = (value: Uint8Array<ArrayBuffer>) =>
      alice.request("Certify", { certificateRequestType: "PKCS_10", certificateRequestValue: value });
    const made = await send(certificateRequestValue);
    expect(subjectOf(await certificateOf(made.uniqueIdentifier))).toBe(encodeHex(subject));
    const forged = certificateRequestValue.slice();
    forged[forged.length - 1]! ^= 1;
    await expect(send(forged)).rejects.toMatchObject({ code: "InvalidCSR" });
    await expect(send(new Uint8Array([...certificateRequestValue, 0]))).rejects.toMatchObject({
      code: "InvalidCSR",
    });
  });
});

describe("a Certificate Value", () => {
  const register = (certificateValue: Uint8Array<ArrayBuffer>) =>
    alice.request("Register", {
      objectType: "Certificate",
      attributes: { cryptographicUsageMask: ["Verify"] },
      object: { certificate: { certificateType: "X_509", certificateValue } },
    });

  it("is one certificate in DER: no PEM, no BER, nothing behind it", async () => {
    const made = await alice.request("Certify", { uniqueIdentifier: publicKey });
    const der = await certificateOf(made.uniqueIdentifier);
    const pem = new X509Certificate(der).toString();
    const inner = der.subarray(4);
    for (const value of [
      utf8(pem),
      utf8(`text\n${pem}`),
      new Uint8Array([...der, 0]),
      new Uint8Array([...der, ...der]),
      // Indefinite length, and a length in more bytes than it needs.
      new Uint8Array([0x30, 0x80, ...inner, 0, 0]),
      new Uint8Array([0x30, 0x83, 0, der[2]!, der[3]!, ...inner]),
      der.slice(0, -1),
      new Uint8Array(),
    ]) {
      await expect(register(value)).rejects.toMatchObject({ code: "InvalidField" });
      await expect(
        alice.request("Validate", { certificate: [{ certificateType: "X_509", certificateValue: value }] }),
      ).rejects.toMatchObject({ code: "InvalidField" });
    }
    await register(new Uint8Array(der));
  });

  it("tells its serial number, alternative names and RSASSA-PSS", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const algorithm = decodeHex(
      "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
    );
    const extension = (id: string, ...names: Uint8Array[]) =>
      encode(SEQUENCE, objectIdentifier(id), encode(0x04, encode(SEQUENCE, ...names)));
    const names = [
      encode(0x82, utf8("example.org")),
      encode(0x81, utf8("a@example.org")),
      encode(0x87, Uint8Array.of(127, 0, 0, 1)),
      encode(0xa4, nameOfValues([["CN", "a,b"]])),
    ];
    const name = nameOfValues([["CN", "pss"]]);
    const signed = encode(
      SEQUENCE,
      encode(CONTEXT, encode(INTEGER, Uint8Array.of(2))),
      encode(INTEGER, Uint8Array.of(0xff, 0x01)),
      algorithm,
      name,
      encode(SEQUENCE, encode(0x17, utf8("250101000000Z")), encode(0x17, utf8("350101000000Z"))),
      name,
      rsa.publicKey.export({ format: "der", type: "spki" }),
      encode(
        CONTEXT | 3,
        encode(SEQUENCE, extension("2.5.29.17", ...names), extension("2.5.29.18", names[0]!)),
      ),
    );
    const key = createPrivateKey(rsa.privateKey.export({ format: "pem", type: "pkcs8" }));
    const signature = sign("sha256", signed, { key, padding: 6, saltLength: 32 });
    const { uniqueIdentifier } = await register(
      encode(SEQUENCE, signed, algorithm, encode(BIT_STRING, new Uint8Array(1), signature)),
    );
    const first = { uniqueIdentifier: uniqueIdentifier as string, attributeReference: [] };
    const { attributes } = await older.request("GetAttributes", first);
    expect(attributes).toMatchObject({
      certificateIdentifier: { issuer: "CN=pss", serialNumber: "-FF" },
      certificateSubject: {
        certificateSubjectAlternativeName: [
          "DNS:example.org",
          "email:a@example.org",
          "IP Address:127.0.0.1",
          "DirName:CN=a\\,b",
        ],
      },
      certificateIssuer: { certificateIssuerAlternativeName: ["DNS:example.org"] },
    });
    const told = await test
      .as(await issueClient(test.pki.dir, "alice"), { major: 1, minor: 2 })
      .request("GetAttributes", first);
    expect(told.attributes.digitalSignatureAlgorithm).toEqual(["RSASSA_PSS"]);
    expect(encodeHex(told.attributes.x_509CertificateIdentifier!.certificateSerialNumber)).toBe("0202ff01");
    expect(told.attributes.x_509CertificateSubject!.subjectAlternativeName!.map(encodeHex)).toEqual(
      names.map(encodeHex),
    );
  });
});
