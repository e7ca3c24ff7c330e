import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeBase64url } from "../base64url.ts";
import { encode, INTEGER, objectIdentifier, SEQUENCE, SET, UTF8_STRING } from "./der.ts";
import {
  instanceLevel,
  instanceTier,
  LEVEL_POLICY,
  METHOD_POLICY,
  nameText,
  parseCertificate,
  signedRequest,
  TIER_POLICY,
  verifyChain,
} from "./index.ts";
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
  // The arc of a UUID (ITU-T X.667) is larger than any number of JavaScript.
  expect(Buffer.from(objectIdentifier("2.25.340282366920938463463374607431768211455")).toString("hex")).toBe(
    `06146983${"ff".repeat(17)}7f`,
  );
  expect(
    Buffer.from(encode(4, new Uint8Array(300)))
      .subarray(0, 4)
      .toString("hex"),
  ).toBe("0482012c");
});

type Order = {
  subject: string;
  key: CryptoKey;
  issuer: string;
  by: CryptoKey;
  extensions?: x509.Extension[];
  notAfter?: number;
};

async function issue({ subject, key, issuer, by, extensions = [], notAfter = now + 1e9 }: Order) {
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer,
    publicKey: key,
    signingKey: by,
    signingAlgorithm: ecdsa,
    serialNumber: "01",
    notBefore: new Date(now - 1000),
    notAfter: new Date(notAfter),
    extensions,
  });
  return { der: new Uint8Array(made.rawData), made };
}

const { keyCertSign, digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
const authority = (pathLength?: number, usage = keyCertSign) => [
  new x509.BasicConstraintsExtension(true, pathLength, true),
  new x509.KeyUsagesExtension(usage, true),
];
const critical = (dotted: string) => new x509.Extension(dotted, true, new Uint8Array([5, 0]));

/** Root, authority and instance, as a deployment has them; `changes` by name. */
async function path(changes: Partial<Record<"root" | "ca" | "leaf", Partial<Order>>> = {}) {
  const ca = await subtle.generateKey(ecdsa, false, ["sign", "verify"]);
  const leaf = await subtle.generateKey(ecdsa, false, ["sign", "verify"]);
  const orders: Record<"root" | "ca" | "leaf", Order> = {
    root: { subject: "CN=Root", key: keys.publicKey, issuer: "CN=Root", by: keys.privateKey },
    ca: { subject: "CN=CA", key: ca.publicKey, issuer: "CN=Root", by: keys.privateKey },
    leaf: { subject: "CN=Leaf", key: leaf.publicKey, issuer: "CN=CA", by: ca.privateKey },
  };
  orders.root.extensions = authority(1);
  orders.ca.extensions = authority(0);
  orders.leaf.extensions = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(digitalSignature, true),
  ];
  const made = await Promise.all(
    (["leaf", "ca", "root"] as const).map((name) => issue({ ...orders[name], ...changes[name] })),
  );
  return { chain: made.map(({ der }) => parseCertificate(der)), made, ca, leaf };
}

it("verifies a chain to the pinned root, and nothing else", async () => {
  const { chain, made, ca, leaf } = await path();
  expect(chain[0]!.notAfter).toBe(made[0]!.made.notAfter.getTime());
  expect(chain[0]!.spki).toEqual(new Uint8Array(await subtle.exportKey("spki", leaf.publicKey)));
  await verifyChain(subtle, chain, spki, now);

  const caSpki = new Uint8Array(await subtle.exportKey("spki", ca.publicKey));
  await expect(verifyChain(subtle, chain, caSpki, now)).rejects.toThrow("another root");
  await expect(verifyChain(subtle, [], spki, now)).rejects.toThrow("another root");
  await expect(verifyChain(subtle, chain, spki, now + 2e9)).rejects.toThrow("not valid now");
  await expect(verifyChain(subtle, chain, spki, now - 9999)).rejects.toThrow("not valid now");
  await expect(verifyChain(subtle, [chain[0]!, chain[2]!], spki, now)).rejects.toThrow("another issuer");
  await expect(verifyChain(subtle, [chain[2]!], spki, now)).rejects.toThrow("wrong place");
  const forged = (await path({ leaf: { by: keys.privateKey } })).chain[0]!;
  await expect(verifyChain(subtle, [forged, ...chain.slice(1)], spki, now)).rejects.toThrow("bad signature");
});

it("does not take what an instance signs with its own key for a certificate (RFC 5280 §6.1.4)", async () => {
  const { chain, leaf } = await path();
  const other = await subtle.generateKey(ecdsa, false, ["sign", "verify"]);
  const order = { key: other.publicKey, issuer: "CN=Leaf", by: leaf.privateKey };
  const below = parseCertificate((await issue({ ...order, subject: "CN=Below" })).der);
  await expect(verifyChain(subtle, [below, ...chain], spki, now)).rejects.toThrow("wrong place");
});

it.each<[string, Parameters<typeof path>[0], string]>([
  ["an issuer that is no authority", { ca: { extensions: [] } }, "wrong place"],
  [
    "an authority that may not sign certificates",
    { ca: { extensions: authority(0, digitalSignature) } },
    "may not issue",
  ],
  ["a path longer than the root allows", { root: { extensions: authority(0) } }, "may not issue"],
  ["an authority as leaf", { leaf: { extensions: authority() } }, "wrong place"],
  ["an expired authority", { ca: { notAfter: now - 1 } }, "not valid now"],
  ["an expired root", { root: { notAfter: now - 1 } }, "not valid now"],
])("refuses %s", async (_, changes, message) => {
  const { chain } = await path(changes);
  await expect(verifyChain(subtle, chain, spki, now)).rejects.toThrow(message);
});

const NO_DATES = [
  ["30 February", "270230000000Z"],
  ["29 February of no leap year", "270229000000Z"],
  ["31 April", "270431000000Z"],
  ["a month 13", "271301000000Z"],
  ["a month 0", "270001000000Z"],
  ["a day 0", "270100000000Z"],
  ["an hour 24", "270101240000Z"],
  ["a minute 60", "270101006000Z"],
  ["a second 60", "270101000060Z"],
] as const;

it.each(NO_DATES)("knows no certificate that ends or begins at %s", async (_, text) => {
  const { der } = (await path({ leaf: { notAfter: Date.parse("2027-01-01T00:00:00Z") } })).made[0]!;
  for (const written of ["270101000000Z", "261121235959Z"]) {
    const altered = Buffer.from(der);
    const at = altered.indexOf(written);
    expect(at).toBeGreaterThan(0);
    altered.write(text, at, "latin1");
    expect(() => parseCertificate(altered)).toThrow("no such moment");
  }
});

it("takes no certificate whose time is not known", async () => {
  const { chain } = await path();
  for (const change of [{ notBefore: Number.NaN }, { notAfter: Number.NaN }]) {
    const [leaf, ...others] = chain;
    await expect(verifyChain(subtle, [{ ...leaf!, ...change }, ...others], spki, now)).rejects.toThrow(
      "not valid now",
    );
  }
  await expect(verifyChain(subtle, chain, spki, Number.NaN)).rejects.toThrow("not valid now");
});

it("refuses critical extensions that it does not know, extensions twice, and two algorithms in one", async () => {
  await expect(path({ leaf: { extensions: [critical("1.2.3.4")] } })).rejects.toThrow("not known");
  const twice = [...authority(), ...authority()];
  await expect(path({ ca: { extensions: twice } })).rejects.toThrow("twice");
  const { der } = (await path()).made[0]!;
  const hex = Buffer.from(der).toString("hex");
  // ecdsa-with-SHA256 to SHA-384, in the outer place alone.
  const at = hex.lastIndexOf("06082a8648ce3d040302");
  const altered = `${hex.slice(0, at)}06082a8648ce3d040303${hex.slice(at + 20)}`;
  expect(() => parseCertificate(Buffer.from(altered, "hex"))).toThrow("another signature algorithm");
});

it("reads purposes, and does not take a certificate that insists on them", async () => {
  const purpose = objectIdentifier("2.23.133.8.3");
  const made = async (isCritical: boolean) => {
    const extensions = [new x509.ExtendedKeyUsageExtension(["2.23.133.8.3"], isCritical)];
    return (await path({ leaf: { extensions } })).made[0]!.der;
  };
  expect(parseCertificate(await made(false)).purposes).toEqual([Buffer.from(purpose).toString("hex")]);
  await expect(made(true)).rejects.toThrow("not known");
});

describe("what an instance's certificate says", () => {
  const custodian = "CN=u1,OU=https://app.example,O=acme";
  const policies = [METHOD_POLICY.grant, TIER_POLICY.emulated];
  const says = ({
    usage = digitalSignature,
    names = [{ type: "dn", value: custodian }],
    policies: listed = policies,
  }: {
    usage?: number;
    names?: x509.JsonGeneralNames;
    policies?: string[];
  } = {}) => ({
    leaf: {
      extensions: [
        new x509.KeyUsagesExtension(usage, true),
        new x509.SubjectAlternativeNameExtension(names),
        new x509.CertificatePolicyExtension(listed),
      ],
    },
  });
  const read = async (changes: Parameters<typeof path>[0], use: "identity" | "wrapping" = "identity") =>
    instanceTier((await path(changes)).chain[0]!, { use, custodian, method: "grant" });

  it("gives the tier of one that says what it should", async () => {
    expect(await read(says())).toBe("emulated");
    expect(await read(says({ usage: keyEncipherment }), "wrapping")).toBe("emulated");
  });

  it("gives its release level: the lowest where it names none", async () => {
    const levelOf = async (...more: string[]) => {
      const changes = says({ policies: [...policies, ...more] });
      expect(await read(changes)).toBe("emulated");
      return instanceLevel((await path(changes)).chain[0]!);
    };
    expect(await levelOf()).toBe("data");
    expect(await levelOf(LEVEL_POLICY.account)).toBe("account");
    expect(await levelOf(LEVEL_POLICY.master)).toBe("master");
  });

  it.each<[string, Parameters<typeof path>[0]]>([
    ["nothing", {}],
    ["another use", says({ usage: keyEncipherment })],
    ["two uses", says({ usage: keyEncipherment | digitalSignature })],
    ["another custodian", says({ names: [{ type: "dn", value: custodian.replace("u1", "u2") }] })],
    ["the name's parts in another order", says({ names: [{ type: "dn", value: "O=acme,CN=u1" }] })],
    ["the name as another kind", says({ names: [{ type: "dns", value: custodian }] })],
    ["two custodians", says({ names: [custodian, "CN=u2"].map((value) => ({ type: "dn", value })) })],
    ["no method", says({ policies: [TIER_POLICY.emulated, "1.2.3"] })],
    ["no tier", says({ policies: [METHOD_POLICY.grant] })],
    ["two tiers", says({ policies: [...policies, TIER_POLICY.hardware] })],
    ["two levels", says({ policies: [...policies, LEVEL_POLICY.account, LEVEL_POLICY.master] })],
    ["a level and something else", says({ policies: [...policies, LEVEL_POLICY.account, "1.2.3"] })],
    ["a level and no tier", says({ policies: [METHOD_POLICY.grant, LEVEL_POLICY.master, "1.2.3"] })],
  ])("refuses one that says %s", async (_, changes) => {
    await expect(read(changes)).rejects.toThrow(TypeError);
  });

  it("has one text for one name", () => {
    const part = (dotted: string, value: string, tag = UTF8_STRING) =>
      encode(SET, encode(SEQUENCE, objectIdentifier(dotted), encode(tag, Buffer.from(value))));
    const name = (...parts: Uint8Array[]) => nameText(encode(SEQUENCE, ...parts));
    expect(name(part("2.5.4.3", "u1"), part("2.5.4.10", "Ärzte"))).toBe("CN=u1,O=Ärzte");
    for (const value of ["u1,O=acme", "a+b", "", " a", "a ", "#a", "a\0", 'a"', "a\\"])
      expect(() => name(part("2.5.4.3", value))).toThrow(TypeError);
    expect(() => name(part("2.5.4.4", "a"))).toThrow(TypeError);
    expect(() => name(part("2.5.4.3", "a", INTEGER))).toThrow(TypeError);
  });
});

it("refuses every cut of a certificate and does not hang on noise", async () => {
  const { der } = (await path()).made[1]!;
  for (let length = 0; length < der.length; length++) {
    expect(() => parseCertificate(der.subarray(0, length))).toThrow(TypeError);
  }
  expect(() => parseCertificate(new Uint8Array([...der, 0]))).toThrow(TypeError);
});
