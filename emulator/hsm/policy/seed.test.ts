import {
  createCipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  pbkdf2Sync,
  privateDecrypt,
} from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import {
  AGREEMENT,
  IDENTITY,
  named,
  POLICY,
  policy,
  SEED_HMAC,
  SIGN_TYPE,
  seedKeyName,
} from "#protocol/hierarchy/index.ts";
import { signingInput } from "#protocol/keys/index.ts";
import type { Attributes, KmipClient, RequestPayload } from "#protocol/kmip/index.ts";
import { MAX_SEED, SEED_CHANNEL, SEED_ROUNDS, seedKeyInfo } from "#protocol/seed.ts";
import { secretBytes } from "../store/material.ts";
import { Work } from "../store/work.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  TENANT,
  testHierarchy,
} from "../testing/hierarchy.ts";
import { denied, refused } from "../testing/refusal.ts";

/** Data keys from a seed (M9): what the KMS can have done with a seed that comes sealed, and what it cannot. */

type Bytes = Uint8Array<ArrayBuffer>;
const INFO = utf8(`${SEED_CHANNEL}what it is bound to`);
const SEED = utf8("a seed of nobody else");
/** The tenant's HMAC key in this file: 00 01 02 … 1f. */
const HMAC_KEY = Uint8Array.from({ length: 32 }, (_, n) => n);
/**
 * A fixed vector: the keys, hexadecimal, by their labels, that `HMAC_KEY` and `SEED` give. Made in Node 24 by this and no code of the
 * repository; Python's hmac and hashlib alone (HKDF by RFC 5869 §2) give the same.
 *
 *   seed = Buffer.from("a seed of nobody else")
 *   salt = createHmac("sha256", Buffer.from(Array.from({ length: 32 }, (_, n) => n))).update(seed).digest()
 *     8b99898ae4a1535a45d21f294a2f41987b0c40dd83fb2eba6373dae9838421f0
 *   stretched = pbkdf2Sync(seed, salt, 600_000, 32, "sha256")
 *     906e38a82591c18a5eda273a71d18722a2e45fe43eaa603bc4c273d05aeee4e9
 *   key = hkdfSync("sha256", stretched, "", `coffer-seed-key-v1\0${label}`, 32)
 */
const VECTOR = {
  "": "5db17b9ee9539e767baa791dac477e78f1888da3e36ae13749eb330c27809b64",
  invoices: "35f44b4934b35f268a82dfaa51a6b16290923a1dcb8e8a04db3041cb45d13b60",
};
const SHA_256 = { cryptographicParameters: { hashingAlgorithm: "SHA_256" } } as const;
const ACTIVE = { activationDate: PAST } as const;

let test: TestHsm;
/** How far the HSM's clock is ahead, in milliseconds. */
let ahead = 0;
let h: Hierarchy;
let hmac: string;
let channel: { agreement: string; share: string; agreed: string; opens: string; seal(seed: Bytes): Sealed };
type Sealed = { nonce: Bytes; sealed: Bytes };

beforeAll(async () => {
  test = await testHsm({ now: () => new Date(Date.now() + ahead) });
  h = await testHierarchy(test);
  const { put } = Work.prototype;
  Work.prototype.put = function (object) {
    // In the place of the random ones: a fixed vector needs a key that is known.
    if (object.objectType === "SymmetricKey") secretBytes(object).set(HMAC_KEY);
    return put.call(this, object);
  };
  hmac = await seedKey(TENANT);
  Work.prototype.put = put;
}, 30_000);
afterAll(() => test.close());
beforeEach(async () => {
  ahead = 0;
  channel = await openChannel();
});

async function seedKey(tenant: string, client = h.officer, more: Attributes = {}): Promise<string> {
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...SEED_HMAC,
      name: named(seedKeyName(tenant)),
      cryptographicUsageMask: ["DeriveKey"],
      ...ACTIVE,
      vendorAttributes: [
        policy(POLICY.class, "seed-hmac"),
        policy(POLICY.tenant, tenant),
        policy(POLICY.users, IDENTITY.kms),
      ],
      ...more,
    },
  });
  return uniqueIdentifier;
}

const x25519 = (key: KeyObject) => new Uint8Array(key.export({ format: "der", type: "spki" }));

async function openChannel(): Promise<typeof channel> {
  const own = generateKeyPairSync("x25519");
  const peer = crypto.randomUUID();
  const attributes = { ...AGREEMENT, cryptographicUsageMask: ["KeyAgreement" as const] };
  const keyValue = { keyMaterial: x25519(own.publicKey) };
  await h.kms.request("Import", {
    ...{ uniqueIdentifier: peer, objectType: "PublicKey", attributes },
    object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue } } },
  });
  const made = await h.kms.request("CreateKeyPair", {
    commonAttributes: { ...AGREEMENT, ...ACTIVE },
    privateKeyAttributes: { cryptographicUsageMask: ["DeriveKey"] },
    publicKeyAttributes: { cryptographicUsageMask: ["KeyAgreement"] },
  });
  const { uniqueIdentifier: agreed } = await h.kms.request("DeriveKey", {
    objectType: "SecretData",
    uniqueIdentifier: [made.privateKeyUniqueIdentifier, peer],
    derivationMethod: "AsymmetricKey",
    derivationParameters: {},
    attributes: { cryptographicUsageMask: ["DeriveKey"], ...ACTIVE },
  });
  const spki = keyBytes(
    await h.kms.request("Get", {
      uniqueIdentifier: made.publicKeyUniqueIdentifier,
      keyFormatType: "X_509",
    }),
  );
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const secret = diffieHellman({ privateKey: own.privateKey, publicKey });
  const key = new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), INFO, 32));
  return {
    agreement: made.privateKeyUniqueIdentifier,
    share: String(publicKey.export({ format: "jwk" }).x),
    agreed,
    opens: await expand(agreed),
    seal(seed) {
      const nonce = crypto.getRandomValues(new Uint8Array(12));
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
      return { nonce, sealed: new Uint8Array(sealed) };
    },
  };
}

async function expand(
  agreed: string,
  info = INFO,
  uses: ("UnwrapKey" | "Encrypt")[] = ["UnwrapKey"],
): Promise<string> {
  const { uniqueIdentifier } = await h.kms.request("DeriveKey", {
    objectType: "SymmetricKey",
    uniqueIdentifier: [agreed],
    derivationMethod: "HKDF",
    derivationParameters: { ...SHA_256, derivationData: info },
    attributes: { ...AES, cryptographicUsageMask: uses, ...ACTIVE },
  });
  return uniqueIdentifier;
}

function seedImport(
  { nonce, sealed }: Sealed,
  by = channel.opens,
  more: Attributes = {},
): RequestPayload<"Import"> {
  const keyWrappingData = {
    ...aesKw(by),
    encryptionKeyInformation: {
      uniqueIdentifier: by,
      cryptographicParameters: { blockCipherMode: "GCM" as const },
    },
    ivCounterNonce: nonce,
  };
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "SecretData",
    keyWrapType: "NotWrapped",
    attributes: { cryptographicUsageMask: ["DeriveKey"], ...ACTIVE, ...more },
    object: {
      secretData: {
        secretDataType: "Seed",
        keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: sealed }, keyWrappingData },
      },
    },
  };
}

/** Over a channel of its own: each takes one seed. */
async function bring(seed: Bytes, more: Attributes = {}): Promise<string> {
  const { seal, opens } = await openChannel();
  return (await h.kms.request("Import", seedImport(seal(seed), opens, more))).uniqueIdentifier;
}

type Derivation = RequestPayload<"DeriveKey">;
async function derive(
  bases: string[],
  derivationMethod: Derivation["derivationMethod"],
  {
    client = h.kms,
    parameters = {},
    ...more
  }: Partial<Derivation> & {
    client?: KmipClient;
    parameters?: Derivation["derivationParameters"];
  } = {},
): Promise<string> {
  const { uniqueIdentifier } = await client.request("DeriveKey", {
    objectType: "SecretData",
    uniqueIdentifier: bases,
    derivationMethod,
    derivationParameters: { ...SHA_256, ...parameters },
    attributes: { cryptographicUsageMask: ["DeriveKey"], ...ACTIVE },
    ...more,
  });
  return uniqueIdentifier;
}

const ROUNDS = { parameters: { iterationCount: SEED_ROUNDS } };
const salted = (seed: string, key = hmac) => derive([key, seed], "HMAC");
const stretched = async (seed: string) => derive([seed, await salted(seed)], "PBKDF2", ROUNDS);
const dataKey = (from: string, label = "", more: Parameters<typeof derive>[2] = {}) =>
  derive([from], "HKDF", {
    objectType: "SymmetricKey",
    parameters: { derivationData: seedKeyInfo(label) },
    attributes: { ...AES, cryptographicUsageMask: ["DeriveKey"], ...ACTIVE },
    ...more,
  });

/** What the recipient opens. */
async function released(uniqueIdentifier: string): Promise<string> {
  const got = await h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: oaep(h.recipient) });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", h.recipientKeys.privateKey));
  const { createPrivateKey } = await import("node:crypto");
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  return privateDecrypt({ key, oaepHash: "sha256" }, keyBytes(got)).toString("hex");
}

const expected = (seed: Uint8Array, label = "", key: Uint8Array = HMAC_KEY) => {
  const salt = createHmac("sha256", key).update(seed).digest();
  const whole = pbkdf2Sync(seed, salt, 600_000, 32, "sha256");
  return Buffer.from(hkdfSync("sha256", whole, "", `coffer-seed-key-v1\0${label}`, 32)).toString("hex");
};

describe("M9 data keys from a seed", () => {
  it("M9 are derived inside the HSM and leave to recipients alone: the same by Node's own crypto", async () => {
    const from = await stretched(await bring(SEED));
    for (const label of ["", "invoices"])
      expect(await released(await dataKey(from, label))).toBe(expected(SEED, label));
    const again = await stretched(await bring(SEED));
    expect(await released(await dataKey(again))).toBe(expected(SEED));
  });

  it("M9 give the fixed vector for a seed and a tenant's HMAC key that are known", async () => {
    const from = await stretched(await bring(SEED));
    for (const [label, key] of Object.entries(VECTOR))
      expect(await released(await dataKey(from, label))).toBe(key);
  });

  it("M9 the longest seed comes in, and one byte makes another key", async () => {
    for (const seed of [new Uint8Array(MAX_SEED).fill(7), Uint8Array.of(7)])
      expect(await released(await dataKey(await stretched(await bring(seed))))).toBe(expected(seed));
    await refused(bring(new Uint8Array(MAX_SEED + 1))).toMatch(/^(PermissionDenied|InvalidField)$/);
    await refused(bring(new Uint8Array())).toMatch(/^(PermissionDenied|CryptographicFailure)$/);
  });

  it("M9 are of the key's tenant: no other's recipient gets them", async () => {
    const other = await seedKey("Another, Inc.");
    const seed = await bring(SEED);
    const theirs = await derive([seed, await salted(seed, other)], "PBKDF2", ROUNDS);
    await denied(released(await dataKey(theirs)));
  });

  it("M9 what there is before the data key is sensitive, of one use, and leaves in no form", async () => {
    const seed = await bring(SEED);
    const salt = await salted(seed);
    const whole = await derive([seed, salt], "PBKDF2", ROUNDS);
    for (const [name, uniqueIdentifier] of Object.entries({
      hmac,
      opens: channel.opens,
      seed,
      salt,
      whole,
    })) {
      const { attributes } = await h.kms.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: [],
      });
      expect(attributes).toMatchObject({ sensitive: true, extractable: false });
      expect(attributes.cryptographicUsageMask).toHaveLength(1);
      // A digest of a weak seed would give it to whoever tries.
      if (name !== "hmac" && name !== "opens") expect(attributes.digest ?? []).toEqual([]);
      await refused(h.kms.request("Get", { uniqueIdentifier })).toMatch(/^(PermissionDenied|Sensitive)$/);
      for (const by of [oaep(h.recipient), aesKw(h.master), aesKw(channel.opens)])
        await refused(h.kms.request("Get", { uniqueIdentifier, keyWrappingSpecification: by })).toMatch(
          /^(PermissionDenied|IncompatibleCryptographicUsageMask)$/,
        );
    }
  });
});

describe("M9 what a KMS that means harm does not get", () => {
  it("M9 a salt of its own is refused, and that of another seed", async () => {
    const seed = await bring(SEED);
    const salt = new Uint8Array(32).fill(1);
    await denied(derive([seed], "PBKDF2", { parameters: { iterationCount: SEED_ROUNDS, salt } }));
    const other = await salted(await bring(utf8("another seed")));
    await denied(derive([seed, other], "PBKDF2", ROUNDS));
    const own = await salted(seed);
    await denied(derive([seed, own], "PBKDF2", { parameters: { iterationCount: SEED_ROUNDS, salt } }));
    await denied(derive([own, seed], "PBKDF2", ROUNDS));
    // Nor as the second object of something else that it owns, or as the password.
    await denied(derive([seed, seed], "PBKDF2", ROUNDS));
    await denied(derive([seed, h.data], "PBKDF2", ROUNDS));
  });

  it("M9 fewer rounds, another hash and another length are refused", async () => {
    const seed = await bring(SEED);
    const salt = await salted(seed);
    for (const iterationCount of [1, SEED_ROUNDS - 1, SEED_ROUNDS + 1])
      await denied(derive([seed, salt], "PBKDF2", { parameters: { iterationCount } }));
    for (const hashingAlgorithm of ["SHA_1", "SHA_512"] as const)
      await denied(
        derive([seed, salt], "PBKDF2", {
          parameters: { iterationCount: SEED_ROUNDS, cryptographicParameters: { hashingAlgorithm } },
        }),
      );
    const attributes: Attributes = {
      cryptographicLength: 128,
      cryptographicUsageMask: ["DeriveKey"],
      ...ACTIVE,
    };
    await denied(derive([seed, salt], "PBKDF2", { ...ROUNDS, attributes }));
    await denied(derive([hmac, seed], "HMAC", { attributes }));
  });

  it("M9 each key is for its own step: nothing is derived in another order or by another method", async () => {
    const seed = await bring(SEED);
    const salt = await salted(seed);
    const whole = await derive([seed, salt], "PBKDF2", ROUNDS);
    const more = { parameters: { derivationData: seedKeyInfo("") } };
    for (const base of [hmac, seed, salt, whole])
      for (const method of ["HASH", "ENCRYPT", "HMAC", "NIST800_108_C", "AsymmetricKey"] as const)
        await denied(derive([base], method, more));
    for (const base of [hmac, seed, salt]) await denied(dataKey(base));
    for (const info of [
      utf8("coffer-seed-key-v2\0"),
      seedKeyInfo("a b"),
      seedKeyInfo("x".repeat(65)),
      utf8("DERIVEKEY"),
    ])
      await denied(dataKey(whole, "", { parameters: { derivationData: info } }));
    await denied(dataKey(whole, "", { objectType: "SecretData" }));
    await denied(derive([hmac, salt], "HMAC"));
    await denied(derive([hmac, h.data], "HMAC"));
    await denied(derive([hmac], "HMAC", { parameters: { derivationData: SEED } }));
    await refused(h.kms.request("MAC", { uniqueIdentifier: hmac, data: SEED })).toBe("PermissionDenied");
    await refused(h.kms.request("MAC", { uniqueIdentifier: seed, data: SEED })).toBe("PermissionDenied");
  });

  it("M9 seeds come in under the one key of a channel that opens them, and that key does nothing else", async () => {
    const sealed = channel.seal(SEED);
    await refused(h.kms.request("Import", seedImport({ ...sealed, nonce: new Uint8Array(12) }))).toBe(
      "CryptographicFailure",
    );
    for (const by of [channel.agreed, h.account, h.master])
      await refused(h.kms.request("Import", seedImport(sealed, by))).toMatch(
        /^(PermissionDenied|IncompatibleCryptographicUsageMask)$/,
      );
    const { object, ...plain } = seedImport(sealed);
    const keyBlock = { keyFormatType: "Opaque" as const, keyValue: { keyMaterial: SEED } };
    await denied(
      h.kms.request("Import", { ...plain, object: { secretData: { secretDataType: "Seed", keyBlock } } }),
    );
    expect(object.secretData).toBeDefined();
    for (const more of [{ sensitive: false }, { extractable: true }]) await denied(bring(SEED, more));
    // The keys of a channel's two directions have infos of their own.
    await denied(expand(channel.agreed, utf8("coffer-channel-v1\0")));
    await denied(expand(channel.agreed, INFO, ["Encrypt"]));
    const gcm = { blockCipherMode: "GCM", tagLength: 16 } as const;
    for (const operation of ["Encrypt", "Decrypt"] as const)
      await denied(
        h.kms.request(operation, {
          ...{ uniqueIdentifier: channel.opens, cryptographicParameters: gcm, data: SEED },
          ...(operation === "Decrypt" && { ivCounterNonce: sealed.nonce, data: sealed.sealed }),
        }),
      );
    // No key of the hierarchy comes in by it: it would have bytes that somebody knows.
    const data = { ...AES, cryptographicUsageMask: ["DeriveKey" as const], ...ACTIVE };
    const asKey = {
      keyFormatType: "Raw" as const,
      keyValue: { keyMaterial: channel.seal(new Uint8Array(32)).sealed },
      ...AES,
    };
    await denied(
      h.kms.request("Import", {
        ...{ ...plain, uniqueIdentifier: crypto.randomUUID(), objectType: "SymmetricKey", attributes: data },
        object: {
          symmetricKey: {
            keyBlock: {
              ...asKey,
              keyWrappingData: seedImport(sealed).object.secretData!.keyBlock.keyWrappingData,
            } as never,
          },
        },
      }),
    );
  });

  it("M9 a channel is vouched for only where its share is one of this HSM's own", async () => {
    const vendorAttributes = [policy(POLICY.users, IDENTITY.kms), policy(POLICY.signType, SIGN_TYPE.receipt)];
    const pair = await h.officer.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "ECDSA", cryptographicLength: 256, ...ACTIVE },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"], vendorAttributes },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const sign = (payload: object, text?: Bytes) => {
      const [header] = signingInput({ typ: SIGN_TYPE.receipt, kid: "k".repeat(43) }, payload).split(".");
      const body = Buffer.from(text ?? utf8(JSON.stringify(payload))).toString("base64url");
      return h.kms.request("Sign", {
        uniqueIdentifier: pair.privateKeyUniqueIdentifier,
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
        data: utf8(`${header}.${body}`),
      });
    };
    const { agreement, share } = channel;
    const good = { kind: "channel", agreement, share };
    expect((await sign(good)).signatureData).toBeDefined();
    const own = String(generateKeyPairSync("x25519").publicKey.export({ format: "jwk" }).x);
    for (const bad of [
      { share: own },
      { agreement: hmac },
      { agreement: crypto.randomUUID() },
      { agreement: channel.agreed },
    ])
      await denied(sign({ ...good, ...bad }));
    // Forms that a reader takes for the same.
    await denied(sign(good, utf8(`\ufeff${JSON.stringify({ ...good, share: own })}`)));
    await denied(
      sign(good, utf8(`{"kind":"x","kind":"channel","agreement":"${agreement}","share":"${own}"}`)),
    );
  });

  it("M9 a channel takes one seed: neither another nor the same one again, by no second key for seeds", async () => {
    const bringIn = (seed: Bytes) => h.kms.request("Import", seedImport(channel.seal(seed)));
    // What does not open uses nothing up.
    const { nonce } = channel.seal(SEED);
    await refused(h.kms.request("Import", seedImport({ nonce, sealed: new Uint8Array(40) }))).toBe(
      "CryptographicFailure",
    );
    await bringIn(SEED);
    await denied(bringIn(SEED));
    await denied(bringIn(utf8("another seed")));
    await denied(expand(channel.agreed));
    const answers = await expand(channel.agreed, utf8("coffer-channel-v1\0"), ["Encrypt"]);
    expect(answers).toEqual(expect.any(String));
    const one = await openChannel();
    const many = Array.from({ length: 8 }, () =>
      h.kms.request("Import", seedImport(one.seal(SEED), one.opens)),
    );
    const settled = await Promise.allSettled(many);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("M9 all that comes of a seed ends with its channel: later nothing is derived, and nothing leaves", async () => {
    const seed = await bring(SEED);
    const salt = await salted(seed);
    const whole = await derive([seed, salt], "PBKDF2", ROUNDS);
    const key = await dataKey(whole);
    const late = await openChannel();
    expect(await released(key)).toBe(expected(SEED));
    for (const uniqueIdentifier of [
      channel.agreement,
      channel.agreed,
      channel.opens,
      seed,
      salt,
      whole,
      key,
    ]) {
      const { attributes } = await h.kms.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: ["deactivationDate"],
      });
      expect(attributes.deactivationDate!.getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
    }
    ahead = 61_000;
    const ended = "WrongKeyLifecycleState";
    await refused(h.kms.request("Import", seedImport(late.seal(SEED), late.opens))).toBe(ended);
    await refused(salted(seed)).toBe(ended);
    await refused(derive([seed, salt], "PBKDF2", ROUNDS)).toBe(ended);
    await refused(dataKey(whole, "another")).toBe(ended);
    await refused(released(key)).toBe(ended);
  });

  it("M9 is for the KMS alone, and the tenant's key for nobody's eyes", async () => {
    const seed = await bring(SEED);
    for (const client of [h.ra, h.iam, h.audit]) {
      await denied(derive([hmac, seed], "HMAC", { client }));
      await denied(client.request("Import", seedImport(channel.seal(SEED))));
    }
    await refused(h.officer.request("Get", { uniqueIdentifier: hmac })).toMatch(
      /^(PermissionDenied|Sensitive)$/,
    );
    await refused(derive([hmac, seed], "HMAC", { client: h.officer })).toMatch(
      /^(PermissionDenied|ObjectNotFound)$/,
    );
    await denied(h.kms.request("Destroy", { uniqueIdentifier: hmac }));
    await denied(seedKey(TENANT, h.kms));
    for (const more of [
      { extractable: true },
      { sensitive: false },
      { cryptographicAlgorithm: "AES" as const },
    ])
      await refused(seedKey("Third, Inc.", h.officer, more)).toMatch(/^(PermissionDenied|InvalidField)$/);
  });

  it("M9 its bases keep no trace of what was derived", async () => {
    await salted(await bring(SEED));
    const { attributes } = await h.kms.request("GetAttributes", {
      uniqueIdentifier: hmac,
      attributeReference: ["link"],
    });
    expect(attributes.link ?? []).toEqual([]);
  });
});
