import { beforeAll, describe, expect, it } from "vitest";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { encodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { digest } from "../digest.ts";
import {
  type AccountEdk,
  type EcPublicJwk,
  edkProviderInfo,
  JwsError,
  joinJws,
  jwkFromSpki,
  MAX_JWS_LENGTH,
  type Receipt,
  signingInput,
  spkiFromJwk,
  TRUST_TYPE,
  type TrustList,
  thumbprint,
  trustListPayload,
  verifyEdk,
  verifyJws,
  verifyReceipt,
  verifyTrustList,
} from "./index.ts";

const NOW = 1_800_000_000;
type Signer = {
  jwk: EcPublicJwk;
  kid: string;
  spki: Uint8Array<ArrayBuffer>;
  sign(input: string): Promise<Uint8Array>;
};

async function signer(): Promise<Signer> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const jwk = jwkFromSpki(spki);
  const sign = async (input: string) =>
    new Uint8Array(await crypto.subtle.sign({ ...algorithm, hash: "SHA-256" }, pair.privateKey, utf8(input)));
  return { jwk, kid: await thumbprint(jwk), spki, sign };
}

async function token(by: Signer, typ: string, payload: object, kid = by.kid): Promise<string> {
  const input = signingInput({ typ, kid }, payload);
  return joinJws(input, await by.sign(input));
}

/** Signs header and payload texts as they are: what an attacker with a real key could write. */
async function raw(by: Signer, header: string, payload: string): Promise<string> {
  const input = `${encodeBase64url(utf8(header))}.${encodeBase64url(utf8(payload))}`;
  return `${input}.${encodeBase64url(await by.sign(input))}`;
}

function code(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "accepted",
    (error: unknown) => (error instanceof JwsError ? error.code : `${error}`),
  );
}

let root: Signer;
let edkKey: Signer;
let receiptKey: Signer;
let trust: TrustList;
let trustToken: string;
const wrappedKey = new Uint8Array(384).fill(7);

const edk = (over: Partial<AccountEdk> = {}): AccountEdk => ({
  version: 1,
  keyId: "5b0a4bb6-4fd9-4d53-9f33-0f6d8c1a9a01",
  keyVersion: 1,
  algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
  tenant: "acme",
  account: "matter-1",
  owner: "user-1",
  created: NOW - 10,
  purpose: "document",
  accountKey: { id: "ki-1", version: 1 },
  wrapping: "A256KW",
  wrappedKey: encodeBase64url(new Uint8Array(40)),
  policy: { operations: ["encrypt", "decrypt"] },
  ...over,
});

async function receipt(of: string, over: Partial<Receipt> = {}): Promise<Receipt> {
  return {
    version: 1,
    wrappedKeyDigest: await digest(wrappedKey),
    edkDigest: await digest(of),
    keyId: edk().keyId,
    keyVersion: 1,
    recipient: await digest(utf8("certificate")),
    tenant: "acme",
    account: "matter-1",
    policy: { operations: ["decrypt"] },
    iat: NOW,
    exp: NOW + 600,
    ...over,
  };
}

beforeAll(async () => {
  [root, edkKey, receiptKey] = await Promise.all([signer(), signer(), signer()]);
  trust = await trustListPayload(
    [
      { key: edkKey.jwk, purpose: "edk" },
      { key: receiptKey.jwk, purpose: "receipt" },
    ],
    { serial: 7, iat: NOW - 100, exp: NOW + 1000 },
  );
  trustToken = await token(root, TRUST_TYPE, trust);
});

describe("JWK", () => {
  it("goes to SPKI and back", () => {
    expect(spkiFromJwk(jwkFromSpki(root.spki))).toEqual(root.spki);
    expect(() => jwkFromSpki(root.spki.subarray(1))).toThrow(TypeError);
    expect(() => jwkFromSpki(new Uint8Array(91))).toThrow(TypeError);
    expect(() => spkiFromJwk({ ...root.jwk, x: "AA" })).toThrow(TypeError);
  });

  it("has the RFC 7638 thumbprint of its required members in order", async () => {
    // Computed with jose's calculateJwkThumbprint.
    const jwk: EcPublicJwk = {
      kty: "EC",
      crv: "P-256",
      x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
      y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    };
    const { calculateJwkThumbprint } = await import("jose");
    expect(await thumbprint(jwk)).toBe(await calculateJwkThumbprint(jwk));
  });
});

it("W1 an EDK has as many bytes as its way of wrapping gives", async () => {
  const verify = async (over: Partial<AccountEdk>) =>
    verifyEdk(await token(edkKey, SIGN_TYPE.edk, edk(over)), trust, NOW);
  const bytes = (length: number) => ({ wrappedKey: encodeBase64url(new Uint8Array(length)) });
  const toPair = { wrapping: "RSA-OAEP-256", ...bytes(384) } as const;
  await expect(verify(toPair)).resolves.toMatchObject(toPair);
  // The numbers in a private half lack a byte now and then.
  for (const [wrapping, length] of [
    ["A256GCM", 2630],
    ["A256GCM", 2603],
    ["RSA-OAEP-256+A256GCM", 3014],
  ] as const)
    await expect(verify({ wrapping, ...bytes(length) })).resolves.toMatchObject({ wrapping });
  for (const over of [
    bytes(384),
    { ...toPair, ...bytes(40) },
    { ...toPair, ...bytes(256) },
    { ...toPair, wrapping: "RSA-OAEP" as never },
    ...[40, 384, 2602, 2631].map((length) => ({ wrapping: "A256GCM" as const, ...bytes(length) })),
    { wrapping: "A256GCM", layer: { masterKey: "m-1" }, ...bytes(2630) } as const,
    { wrapping: "RSA-OAEP-256+A256GCM", ...bytes(2630) } as const,
    { ...toPair, ...bytes(3014) },
  ])
    await expect(verify(over)).rejects.toMatchObject({ code: "jws-payload" });
});

describe("JWS", () => {
  const verify = (text: string) => verifyJws(text, "test", (kid) => (kid === edkKey.kid ? edkKey.jwk : null));

  it("verifies what was signed, and so does jose", async () => {
    const text = await token(edkKey, "test", { a: 1 });
    expect(await verify(text)).toEqual({ a: 1 });
    const jose = await import("jose");
    const result = await jose.compactVerify(text, await jose.importJWK(edkKey.jwk, "ES256"));
    expect(result.protectedHeader).toEqual({ alg: "ES256", typ: "test", kid: edkKey.kid });
  });

  it.each([
    ["alg none", (kid: string) => ({ alg: "none", typ: "test", kid })],
    ["alg HS256", (kid: string) => ({ alg: "HS256", typ: "test", kid })],
    ["another typ", (kid: string) => ({ alg: "ES256", typ: "JWT", kid })],
    ["no typ", (kid: string) => ({ alg: "ES256", kid })],
    ["no kid", () => ({ alg: "ES256", typ: "test" })],
    ["jwk", (kid: string) => ({ alg: "ES256", typ: "test", kid, jwk: edkKey.jwk })],
    ["jku", (kid: string) => ({ alg: "ES256", typ: "test", kid, jku: "https://evil.example/keys" })],
    ["x5u", (kid: string) => ({ alg: "ES256", typ: "test", kid, x5u: "https://evil.example/cert" })],
    ["crit", (kid: string) => ({ alg: "ES256", typ: "test", kid, crit: ["b64"], b64: false })],
    ["an array", () => ["ES256"]],
  ])("refuses a header with %s", async (_, header) => {
    expect(await code(verify(await raw(edkKey, JSON.stringify(header(edkKey.kid)), "{}")))).toBe("jws-type");
  });

  it("refuses duplicate members, white space and other spellings of the same JSON", async () => {
    const header = JSON.stringify({ alg: "ES256", typ: "test", kid: edkKey.kid });
    for (const text of [
      header.replace("{", '{"alg":"none",'),
      ` ${header}`,
      header.replace("alg", "\\u0061lg"),
      `\ufeff${header}`,
      "null,",
      "7",
    ]) {
      expect(await code(verify(await raw(edkKey, text, "{}")))).toBe("jws-malformed");
    }
    for (const text of ['{"a":1,"a":2}', '{"a": 1}', '{"a":1.0}', '"x"', "", "[1"]) {
      expect(await code(verify(await raw(edkKey, header, text)))).toBe("jws-malformed");
    }
  });

  it("refuses an unknown kid and another's signature under a known kid", async () => {
    expect(await code(verify(await token(root, "test", {})))).toBe("jws-key");
    expect(await code(verify(await token(root, "test", {}, edkKey.kid)))).toBe("jws-signature");
  });

  it("refuses every single altered character", async () => {
    const text = await token(edkKey, "test", { a: 1 });
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === "A" ? "B" : "A";
      expect(await code(verify(text.slice(0, at) + other + text.slice(at + 1)))).not.toBe("accepted");
    }
  });

  it("refuses other serializations, padding, missing and additional parts", async () => {
    const text = await token(edkKey, "test", {});
    for (const bad of [
      "",
      ".",
      "..",
      `${text}=`,
      `${text}.`,
      text.slice(0, -2),
      `${text} `,
      text.split(".").slice(0, 2).join("."),
    ]) {
      expect(await code(verify(bad))).toBe("jws-malformed");
    }
    expect(await code(verify({} as string))).toBe("jws-malformed");
  });

  it("neither writes nor reads more than 8 KiB", async () => {
    const input = signingInput({ typ: "test", kid: edkKey.kid }, { a: "x".repeat(MAX_JWS_LENGTH) });
    const signature = await edkKey.sign(input);
    expect(() => joinJws(input, signature)).toThrow(JwsError);
    expect(await code(verify(`${input}.${encodeBase64url(signature)}`))).toBe("jws-malformed");
  });
});

it("refuses a token whose JSON is nested too deep as malformed", async () => {
  const deep = (times: number) =>
    encodeBase64url(new TextEncoder().encode("[".repeat(times) + "]".repeat(times)));
  const signature = encodeBase64url(new Uint8Array(64));
  for (const times of [33, 500, 2900])
    for (const text of [`${deep(times)}.e30.${signature}`, `e30.${deep(times)}.${signature}`])
      expect(await code(verifyTrustList(text, root.spki, NOW))).toBe("jws-malformed");
});

describe("trust list", () => {
  it("verifies under the pinned root alone", async () => {
    expect(await verifyTrustList(trustToken, root.spki, NOW)).toEqual(trust);
    expect(await code(verifyTrustList(trustToken, edkKey.spki, NOW))).toBe("jws-key");
    expect(await code(verifyTrustList(await token(edkKey, TRUST_TYPE, trust), root.spki, NOW))).toBe(
      "jws-key",
    );
  });

  it("ends at exp and does not begin in the future", async () => {
    expect(await code(verifyTrustList(trustToken, root.spki, trust.exp - 1))).toBe("accepted");
    expect(await code(verifyTrustList(trustToken, root.spki, trust.exp))).toBe("jws-expired");
    expect(await code(verifyTrustList(trustToken, root.spki, trust.iat - 301))).toBe("jws-early");
    expect(await code(verifyTrustList(trustToken, root.spki, Number.NaN))).toBe("jws-expired");
  });

  it("M20 does not come back once a later one was seen, and does without a serial not at all", async () => {
    expect(await code(verifyTrustList(trustToken, root.spki, NOW, 7))).toBe("accepted");
    expect(await code(verifyTrustList(trustToken, root.spki, NOW, 8))).toBe("jws-superseded");
    const { serial: _, ...without } = trust;
    for (const payload of [without, { ...trust, serial: -1 }, { ...trust, serial: "7" }]) {
      const text = await token(root, TRUST_TYPE, payload);
      expect(await code(verifyTrustList(text, root.spki, NOW))).toBe("jws-payload");
    }
  });

  it("refuses a wrong kid, a key listed twice, the root among the keys, additional members", async () => {
    const [first, second] = trust.keys;
    const rootEntry = { ...first!, ...root.jwk, kid: root.kid };
    for (const keys of [
      [{ ...first!, kid: second!.kid }],
      [first!, { ...first!, purpose: "receipt" }],
      [rootEntry],
      [{ ...first!, d: "AA" }],
      [{ ...first!, purpose: "root" }],
      [],
    ]) {
      const text = await token(root, TRUST_TYPE, { ...trust, keys });
      expect(await code(verifyTrustList(text, root.spki, NOW))).toBe("jws-payload");
    }
  });
});

describe("EDK", () => {
  it("of a key record opens, until its end, and says which document it is for", async () => {
    const digested = "A".repeat(43);
    const record = {
      ...{ account: "matter-2", name: "Ann", document: edk().keyId },
      ...{ messageId: digested, headerDigest: digested },
    };
    const policy = { operations: ["decrypt"] } as AccountEdk["policy"];
    const whole = edk({ record, policy, expires: NOW + 1 });
    const told = async (over: object) =>
      code(verifyEdk(await token(edkKey, SIGN_TYPE.edk, over), trust, NOW));
    expect(await verifyEdk(await token(edkKey, SIGN_TYPE.edk, whole), trust, NOW)).toEqual(whole);
    expect(await told({ ...whole, expires: NOW })).toBe("jws-expired");
    const { expires: _, ...endless } = whole;
    expect(await told(endless)).toBe("jws-payload");
    expect(await told({ ...whole, policy: edk().policy })).toBe("jws-payload");
    expect(await told({ ...whole, wrapping: "retained", wrappedKey: "" })).toBe("jws-payload");
    for (const name of Object.keys(record))
      expect(await told({ ...whole, record: { ...record, [name]: undefined } }), name).toBe("jws-payload");
    expect(await told({ ...whole, record: { ...record, more: 1 } })).toBe("jws-payload");
  });

  it("M6 carries its metadata and verifies under the key for EDKs", async () => {
    const text = await token(edkKey, SIGN_TYPE.edk, edk());
    expect(await verifyEdk(text, trust, NOW)).toEqual(edk());
    expect(edkProviderInfo(edk())).toBe("5b0a4bb6-4fd9-4d53-9f33-0f6d8c1a9a01.1");
  });

  it("M20 refuses a signature of the receipt key, a receipt in its place, expiry, the future", async () => {
    expect(await code(verifyEdk(await token(receiptKey, SIGN_TYPE.edk, edk()), trust, NOW))).toBe("jws-key");
    expect(await code(verifyEdk(await token(edkKey, SIGN_TYPE.receipt, edk()), trust, NOW))).toBe("jws-type");
    expect(await code(verifyEdk(await token(edkKey, SIGN_TYPE.edk, edk({ expires: NOW })), trust, NOW))).toBe(
      "jws-expired",
    );
    expect(
      await code(verifyEdk(await token(edkKey, SIGN_TYPE.edk, edk({ created: NOW + 301 })), trust, NOW)),
    ).toBe("jws-early");
  });

  it.each([
    ["version", { version: 2 }],
    ["keyVersion", { keyVersion: 0 }],
    ["algorithm", { algorithm: "AES-256-CBC" }],
    ["wrapping", { wrapping: "none" }],
    ["wrappedKey", { wrappedKey: encodeBase64url(new Uint8Array(32)) }],
    ["tenant", { tenant: "" }],
    ["account", { account: "a\u0000b" }],
    ["created", { created: 1.5 }],
    ["accountKey", { accountKey: { id: "x" } }],
    ["policy", { policy: { operations: ["export"] } }],
    ["policy member", { policy: { operations: [], allow: "*" } }],
    ["additional member", { admin: true }],
    ["prototype", JSON.parse('{"__proto__":{}}')],
  ])("refuses a signed payload with a wrong %s", async (_, over) => {
    const text = await token(
      edkKey,
      SIGN_TYPE.edk,
      Object.assign(edk(), over, Object.hasOwn(over, "__proto__") ? { toString: 1 } : {}),
    );
    expect(await code(verifyEdk(text, trust, NOW))).toBe("jws-payload");
  });
});

describe("load receipt", () => {
  const load = async (over: object = {}) => ({
    wrappedKey,
    edk: await token(edkKey, SIGN_TYPE.edk, edk()),
    recipient: await digest(utf8("certificate")),
    now: NOW,
    ...over,
  });

  it("M8 vouches for one wrapped key, one EDK, one recipient", async () => {
    const given = await load();
    const text = await token(receiptKey, SIGN_TYPE.receipt, await receipt(given.edk));
    expect((await verifyReceipt(text, trust, given)).policy).toEqual({ operations: ["decrypt"] });
    for (const over of [
      { wrappedKey: new Uint8Array(384) },
      { edk: await token(edkKey, SIGN_TYPE.edk, edk({ keyVersion: 2 })) },
      { recipient: await digest(utf8("another certificate")) },
    ]) {
      expect(await code(verifyReceipt(text, trust, { ...given, ...over }))).toBe("jws-payload");
    }
  });

  it("M20 refuses an expired one, one signed by the EDK key, an EDK in its place", async () => {
    const given = await load();
    const payload = await receipt(given.edk);
    const text = await token(receiptKey, SIGN_TYPE.receipt, payload);
    expect(await code(verifyReceipt(text, trust, { ...given, now: payload.exp }))).toBe("jws-expired");
    expect(await code(verifyReceipt(await token(edkKey, SIGN_TYPE.receipt, payload), trust, given))).toBe(
      "jws-key",
    );
    expect(await code(verifyReceipt(given.edk, trust, given))).toBe("jws-type");
    const odd = await token(receiptKey, SIGN_TYPE.receipt, { ...payload, exp: payload.iat });
    expect(await code(verifyReceipt(odd, trust, { ...given, now: payload.iat - 1 }))).toBe("jws-expired");
  });
});
