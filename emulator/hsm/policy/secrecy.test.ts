import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attributes, KmipClient, RequestPayload } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, aesKw, keyBytes, oaep, PAST, wrappedImport } from "../testing/hierarchy.ts";
import { reason, refused } from "../testing/refusal.ts";

/** A key that its client must not learn is not told by what is made from it. */

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

type Use = NonNullable<Attributes["cryptographicUsageMask"]>[number];
const data = new Uint8Array(16);
const SECRET: Attributes[] = [{ sensitive: true }, { extractable: false }];

async function create(cryptographicUsageMask: Use[], more: Attributes = {}): Promise<string> {
  const attributes = { ...AES, cryptographicUsageMask, activationDate: PAST, ...more };
  return (await client.request("Create", { objectType: "SymmetricKey", attributes })).uniqueIdentifier;
}

const cbc = { blockCipherMode: "CBC" } as const;
const METHODS: Record<string, RequestPayload<"DeriveKey">["derivationParameters"]> = {
  PBKDF2: { salt: data, iterationCount: 1 },
  HMAC: { derivationData: data },
  HKDF: { derivationData: data },
  NIST800_108_C: { derivationData: data },
  NIST800_108_F: { derivationData: data },
  NIST800_108_DPI: { derivationData: data },
  ENCRYPT: { derivationData: new Uint8Array(32), initializationVector: data, cryptographicParameters: cbc },
};

const derive = (
  base: string | string[],
  method: string,
  attributes: Attributes,
  derivationParameters = METHODS[method] ?? {},
) =>
  client.request("DeriveKey", {
    objectType: attributes.cryptographicAlgorithm ? "SymmetricKey" : "SecretData",
    uniqueIdentifier: [base].flat(),
    derivationMethod: method as "HMAC",
    derivationParameters,
    attributes,
  });

async function agreement(more: Attributes): Promise<string[]> {
  const pair = () =>
    client.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256, activationDate: PAST },
      privateKeyAttributes: { cryptographicUsageMask: ["DeriveKey"], ...more },
      publicKeyAttributes: { cryptographicUsageMask: ["DeriveKey"] },
    });
  const [own, other] = [await pair(), await pair()];
  return [own.privateKeyUniqueIdentifier, other.publicKeyUniqueIdentifier];
}

describe.each(SECRET)("a key with %o", (secret) => {
  it.each(Object.keys(METHODS))("gives 128 bits at least by %s", async (method) => {
    const base = await create(["DeriveKey"], secret);
    for (const bits of [8, 16, 24, 64, 112, 120])
      expect([bits, await reason(derive(base, method, { cryptographicLength: bits }))]).toEqual([
        bits,
        "InvalidField",
      ]);
    expect(await reason(derive(base, method, { cryptographicLength: 128 }))).toBe("Success");
    const { uniqueIdentifier } = await derive(base, method, { cryptographicLength: 256 });
    expect(await reason(client.request("Get", { uniqueIdentifier }))).toMatch(/^(Sensitive|NotExtractable)$/);
  });

  it("agrees on a secret that is taken whole", async () => {
    const pair = await agreement(secret);
    for (const bits of [8, 128, 248])
      await refused(derive(pair, "AsymmetricKey", { cryptographicLength: bits })).toBe("InvalidField");
    expect(await reason(derive(pair, "AsymmetricKey", {}))).toBe("Success");
  });

  it("is made so where its base is not: not in pieces either", async () => {
    const base = await create(["DeriveKey"]);
    for (const method of Object.keys(METHODS))
      await refused(derive(base, method, { cryptographicLength: 8, ...secret })).toBe("InvalidField");
    expect(await reason(derive(base, "HMAC", { cryptographicLength: 8 }))).toBe("Success");
  });

  it("is neither hashed nor combined with a key stream", async () => {
    const base = await create(["DeriveKey"], secret);
    const bits = { cryptographicLength: 256 };
    for (const parameters of [{}, { derivationData: data }])
      await refused(derive(base, "HASH", bits, parameters)).toBe("UnsupportedCryptographicParameters");
    for (const blockCipherMode of ["ECB", "CTR", "CFB", "OFB", "GCM"] as const)
      await refused(
        derive(base, "ENCRYPT", bits, { ...METHODS.ENCRYPT, cryptographicParameters: { blockCipherMode } }),
      ).not.toBe("Success");
    const des = await create(["DeriveKey"], {
      ...secret,
      cryptographicAlgorithm: "DES3",
      cryptographicLength: 192,
    });
    const iv = { ...METHODS.ENCRYPT, initializationVector: new Uint8Array(8) };
    await refused(derive(des, "ENCRYPT", bits, iv)).toBe("UnsupportedCryptographicParameters");
  });

  it("becomes no one-time pad, which would tell itself", async () => {
    const pad: Attributes = {
      cryptographicAlgorithm: "OneTimePad",
      cryptographicLength: 256,
      cryptographicUsageMask: ["Encrypt"],
    };
    const base = await create(["DeriveKey"], secret);
    await refused(derive(base, "HMAC", pad)).toBe("UnsupportedCryptographicParameters");
    const split = { splitKeyParts: 2, splitKeyThreshold: 2, splitKeyMethod: "XOR" as const };
    const { uniqueIdentifier: parts } = await client.request("CreateSplitKey", {
      objectType: "SplitKey",
      ...split,
      attributes: { cryptographicLength: 256, ...secret },
    });
    await refused(
      client.request("JoinSplitKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: parts,
        attributes: pad,
      }),
    ).toBe("UnsupportedCryptographicParameters");
  });

  it("does not tell in the open what it derives", async () => {
    const [macs, encrypts] = [
      await create(["DeriveKey", "MACGenerate"], secret),
      await create(["DeriveKey", "Encrypt"], secret),
    ];
    for (const method of ["HMAC", "PBKDF2", "NIST800_108_C"])
      await refused(derive(macs, method, { cryptographicLength: 256 })).toBe(
        "IncompatibleCryptographicUsageMask",
      );
    await refused(derive(encrypts, "ENCRYPT", { cryptographicLength: 256 })).toBe(
      "IncompatibleCryptographicUsageMask",
    );
  });

  it("opens what was wrapped, and tells it to nobody", async () => {
    const kek = await create(["WrapKey", "UnwrapKey"], secret);
    const victim = await create(["Encrypt"], { sensitive: true });
    const wrapped = keyBytes(
      await client.request("Get", { uniqueIdentifier: victim, keyWrappingSpecification: aesKw(kek) }),
    );
    const imported = (more: Attributes) =>
      client.request("Import", wrappedImport(crypto.randomUUID(), kek, wrapped, { ...AES, ...more }));
    await refused(imported({ sensitive: false })).toBe("Sensitive");
    await refused(imported({ cryptographicAlgorithm: "OneTimePad" })).toBe(
      "UnsupportedCryptographicParameters",
    );
    for (const more of [{}, { cryptographicAlgorithm: "HMAC_SHA256" as const }]) {
      const { uniqueIdentifier } = await imported(more);
      await refused(client.request("Get", { uniqueIdentifier })).toBe("Sensitive");
    }
    // As somebody wrapped it: under another type too.
    const { keyBlock } = wrappedImport("x", kek, wrapped).object.symmetricKey!;
    const kept = await client.request("Register", {
      objectType: "SecretData",
      attributes: {},
      object: { secretData: { secretDataType: "Password", keyBlock } },
    });
    const { uniqueIdentifier } = kept;
    await refused(client.request("Get", { uniqueIdentifier, keyWrapType: "NotWrapped" })).toBe("Sensitive");
    expect(keyBytes(await client.request("Get", { uniqueIdentifier }))).toEqual(wrapped);
  });

  it("does not decrypt what it wrapped", async () => {
    const kek = await create(["WrapKey", "Decrypt"], secret);
    const victim = await create(["Encrypt"], { sensitive: true });
    const get = client.request("Get", { uniqueIdentifier: victim, keyWrappingSpecification: aesKw(kek) });
    await refused(get).toBe("IncompatibleCryptographicUsageMask");
  });

  it("has no digest where its value can be guessed", async () => {
    const digest = async (uniqueIdentifier: string) =>
      (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: ["digest"] })).attributes
        .digest;
    const short = await create(["MACGenerate"], {
      cryptographicAlgorithm: "HMAC_SHA256",
      cryptographicLength: 16,
      ...secret,
    });
    const keyBlock = { keyFormatType: "Opaque" as const, keyValue: { keyMaterial: data } };
    const register = (attributes: Attributes) =>
      client.request("Register", {
        objectType: "SecretData",
        attributes,
        object: { secretData: { secretDataType: "Password", keyBlock } },
      });
    const password = (await register(secret)).uniqueIdentifier;
    for (const uid of [short, password]) expect(await digest(uid)).toBeUndefined();
    const later = (await register({})).uniqueIdentifier;
    const found = await digest(later);
    expect(found).toHaveLength(1);
    await client.request("SetAttribute", { uniqueIdentifier: later, newAttribute: secret });
    expect(await digest(later)).toBeUndefined();
    const located = await client.request("Locate", { attributes: { digest: found } });
    expect(located.uniqueIdentifier ?? []).toEqual([]);
    expect(await digest(await create(["Encrypt"], secret))).toHaveLength(1);
  });
});

it("a sensitive key is not wrapped under a short RSA key", async () => {
  const pair = await client.request("CreateKeyPair", {
    commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 1024, activationDate: PAST },
    privateKeyAttributes: { cryptographicUsageMask: ["UnwrapKey"] },
    publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
  });
  const uniqueIdentifier = await create(["Encrypt"], { sensitive: true });
  const keyWrappingSpecification = oaep(pair.publicKeyUniqueIdentifier);
  await refused(client.request("Get", { uniqueIdentifier, keyWrappingSpecification })).toBe(
    "UnsupportedCryptographicParameters",
  );
});

it("a key, or what is not extractable, is no password of a PKCS#12", async () => {
  const locked = async (password: string) => {
    const pair = await client.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256, activationDate: PAST },
      privateKeyAttributes: {
        cryptographicUsageMask: ["Sign"],
        link: [{ linkType: "PKCS_12PasswordLink", linkedObjectIdentifier: password }],
      },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const uniqueIdentifier = pair.privateKeyUniqueIdentifier;
    return reason(client.request("Get", { uniqueIdentifier, keyFormatType: "PKCS_12" }));
  };
  const password = async (more: Attributes) =>
    (
      await client.request("Create", {
        objectType: "SecretData",
        attributes: { cryptographicUsageMask: ["DeriveKey"], activationDate: PAST, ...more },
      })
    ).uniqueIdentifier;
  expect(await locked(await create(["Encrypt"], { extractable: false }))).toBe("InvalidObjectType");
  expect(await locked(await password({ extractable: false }))).toBe("NotExtractable");
  expect(await locked(await password({}))).toBe("Success");
});
