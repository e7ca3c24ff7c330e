import "reflect-metadata";
import crypto, { createDecipheriv, createHash, diffieHellman, hkdfSync, KeyObject } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  masterKeyName,
  POLICY,
  policy,
  policyAttribute,
  TO_HYBRID_RECIPIENT,
  VENDOR,
} from "#protocol/hierarchy/index.ts";
import { HYBRID_LENGTH, hybridParts } from "#protocol/hybrid.ts";
import type { Attributes, CryptographicParameters, KeyWrappingSpecification } from "#protocol/kmip/index.ts";
import { LEVEL_POLICY } from "#protocol/pki/index.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  type Bytes,
  type CertificateOrder,
  createAccount,
  createAuthority,
  createData,
  createMaster,
  type Hierarchy,
  importAccount,
  keyBytes,
  oaep,
  PAST,
  registerCertificate,
  TENANT,
  testHierarchy,
} from "../testing/hierarchy.ts";
import { allDenied, denied } from "../testing/refusal.ts";

/** Hybrid recipients: an X25519 and an ML-KEM-768 key of one instance, to which the HSM wraps data keys by both. */

const { keyAgreement, keyEncipherment } = x509.KeyUsageFlags;

let test: TestHsm;
let h: Hierarchy;
let agreement: CryptoKeyPair;
let kem: CryptoKeyPair;
let registered: { agreement: string; kem: string; certificates: string[] };

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  [agreement, kem] = await Promise.all([pairOf("X25519"), pairOf("ML-KEM-768")]);
  registered = await register();
}, 30_000);
afterAll(() => test.close());

async function pairOf(name: "X25519" | "ML-KEM-768"): Promise<CryptoKeyPair> {
  const usages = name === "X25519" ? (["deriveKey"] as const) : (["decapsulateKey"] as const);
  return (await globalThis.crypto.subtle.generateKey(name, true, usages as never)) as CryptoKeyPair;
}

const spkiOf = async ({ publicKey }: CryptoKeyPair) =>
  new Uint8Array(await globalThis.crypto.subtle.exportKey("spki", publicKey));

async function registerKey(keyMaterial: Bytes, certificate: string, attributes: Attributes = {}) {
  const { link = [], ...more } = attributes;
  const { uniqueIdentifier } = await h.ra.request("Register", {
    objectType: "PublicKey",
    attributes: {
      activationDate: PAST,
      link: [{ linkType: "CertificateLink", linkedObjectIdentifier: certificate }, ...link],
      ...more,
    },
    object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial } } } },
  });
  return uniqueIdentifier;
}

const WRAPS: Attributes = { cryptographicUsageMask: ["WrapKey"] };
const boundTo = (uid: string): Attributes => ({
  ...WRAPS,
  link: [{ linkType: "PublicKeyLink", linkedObjectIdentifier: uid }],
});

type Orders = { agreement?: CertificateOrder; kem?: CertificateOrder };

/** Both keys as the registration authority brings them in. */
async function register(orders: Orders = {}, { by = h.authority } = {}) {
  const certified = async (keys: CryptoKeyPair, usage: number, order: CertificateOrder = {}) => {
    const { der } = await by.issue({ keys, usage, ...order });
    return registerCertificate(h.ra, der);
  };
  const certificates = [
    await certified(agreement, keyAgreement, orders.agreement),
    await certified(kem, keyEncipherment, orders.kem),
  ];
  const [first = "", second = ""] = certificates;
  const agreed = await registerKey(await spkiOf(agreement), first, {
    cryptographicUsageMask: ["KeyAgreement"],
  });
  return {
    agreement: agreed,
    kem: await registerKey(await spkiOf(kem), second, boundTo(agreed)),
    certificates,
  };
}

const hybrid = (
  uniqueIdentifier: string,
  cryptographicParameters: CryptographicParameters = TO_HYBRID_RECIPIENT,
): KeyWrappingSpecification => ({
  wrappingMethod: "Encrypt",
  encodingOption: "NoEncoding",
  encryptionKeyInformation: { uniqueIdentifier, cryptographicParameters },
});
const get = (uniqueIdentifier: string, keyWrappingSpecification: KeyWrappingSpecification, client = h.kms) =>
  client.request("Get", { uniqueIdentifier, keyWrappingSpecification });

/** As its holder would, by node:crypto alone. */
async function open(wrapped: Bytes): Promise<Buffer> {
  const { share, ciphertext, sealed } = hybridParts(wrapped);
  const spkis = [await spkiOf(agreement), await spkiOf(kem)];
  const digest = createHash("sha256").update(share).update(ciphertext);
  for (const spki of spkis) digest.update(spki);
  const transcript = digest.digest();
  const ephemeral = crypto.createPublicKey({
    key: Buffer.concat([Buffer.from("302a300506032b656e032100", "hex"), share]),
    format: "der",
    type: "spki",
  });
  const agreed = diffieHellman({ privateKey: KeyObject.from(agreement.privateKey), publicKey: ephemeral });
  const shared = crypto.decapsulate(KeyObject.from(kem.privateKey), ciphertext);
  const derived = (secret: Buffer, layer: string) => {
    const info = Buffer.concat([Buffer.from(`coffer-hybrid-v1 ${layer}\0`), transcript]);
    return Buffer.from(hkdfSync("sha256", secret, Buffer.of(), info, 32));
  };
  const outer = createDecipheriv("aes-256-gcm", derived(shared, "kem"), Buffer.alloc(12));
  outer.setAuthTag(sealed.subarray(-16));
  const inner = Buffer.concat([outer.update(sealed.subarray(0, -16)), outer.final()]);
  const kek = createDecipheriv("id-aes256-wrap", derived(agreed, "agreement"), Buffer.alloc(8, 0xa6));
  return Buffer.concat([kek.update(inner), kek.final()]);
}

describe("a hybrid recipient", () => {
  it("gets a data key by both of its keys, and the same by RSA-OAEP", async () => {
    const wrapped = keyBytes(await get(h.data, hybrid(registered.kem)));
    expect(wrapped).toHaveLength(HYBRID_LENGTH);
    const byRsa = keyBytes(await get(h.data, oaep(h.recipient)));
    const { privateKey } = h.recipientKeys;
    const key = await globalThis.crypto.subtle.decrypt("RSA-OAEP", privateKey, byRsa);
    expect(await open(wrapped)).toEqual(Buffer.from(key));
  });

  it("is what the HSM has found it to be", async () => {
    const { attributes } = await h.ra.request("GetAttributes", {
      uniqueIdentifier: registered.kem,
      attributeReference: [
        { vendorIdentification: VENDOR, attributeName: POLICY.recipientAgreement },
        "cryptographicAlgorithm",
        "cryptographicLength",
      ],
    });
    expect(policyAttribute(attributes, POLICY.recipientAgreement)).toBe(registered.agreement);
    expect(attributes).toMatchObject({ cryptographicAlgorithm: 0x80000768, cryptographicLength: 9472 });
  });

  it("gets no key but a data key, and none in another way or by one of its keys", async () => {
    const { kem, agreement } = registered;
    const without = (name: keyof typeof TO_HYBRID_RECIPIENT) =>
      hybrid(kem, { ...TO_HYBRID_RECIPIENT, [name]: undefined });
    await allDenied({
      account: get(h.account, hybrid(kem)),
      master: get(h.master, hybrid(kem)),
      "RSA-OAEP": get(h.data, oaep(kem)),
      algorithm: get(h.data, without("cryptographicAlgorithm")),
      mode: get(h.data, without("blockCipherMode")),
      hash: get(h.data, hybrid(kem, { ...TO_HYBRID_RECIPIENT, hashingAlgorithm: "SHA_512" })),
      more: get(h.data, hybrid(kem, { ...TO_HYBRID_RECIPIENT, tagLength: 16 })),
      "TTLV encoding": get(h.data, { ...hybrid(kem), encodingOption: "TTLVEncoding" }),
      "its X25519 key": get(h.data, hybrid(agreement)),
      "an RSA recipient": get(h.data, hybrid(h.recipient)),
    });
  });

  it("gets no account key, though its certificates name the level", async () => {
    const master = await createMaster(h.officer, masterKeyName("by-account"), TENANT, "account");
    const account = await importAccount(h.kms, master, await createAccount(h.kms, master));
    const policies = [LEVEL_POLICY.account];
    const made = await register({ agreement: { policies }, kem: { policies } });
    await get(await createData(h.kms, account), hybrid(made.kem));
    await denied(get(account, hybrid(made.kem)));
  });

  it("is not registered with another instance's key, or with none", async () => {
    const { der } = await h.authority.issue({ keys: kem });
    const certificate = await registerCertificate(h.ra, der);
    const spki = await spkiOf(kem);
    const other = await pairOf("X25519");
    const foreign = await h.authority.issue({ keys: other, usage: keyAgreement, tenants: ["Somebody else"] });
    const key = await registerKey(foreign.spki, await registerCertificate(h.ra, foreign.der), {
      cryptographicUsageMask: ["KeyAgreement"],
    });
    await allDenied({
      "without one": registerKey(spki, certificate, WRAPS),
      "an RSA key": registerKey(spki, certificate, boundTo(h.recipient)),
      "another instance's": registerKey(spki, certificate, boundTo(key)),
      "nobody's": registerKey(spki, certificate, boundTo("no-such-object")),
      "what it says itself": registerKey(spki, certificate, {
        ...WRAPS,
        vendorAttributes: [policy(POLICY.recipientAgreement, registered.agreement)],
      }),
    });
  });

  it.each<[string, Orders]>([
    ["an X25519 certificate for encipherment", { agreement: { usage: keyEncipherment } }],
    ["an ML-KEM certificate for agreement", { kem: { usage: keyAgreement } }],
    ["a certificate that has ended", { kem: { notAfter: new Date(Date.now() - 1000) } }],
    ["an authority's certificate", { agreement: { ca: true } }],
  ])("is not registered with %s", async (_, orders) => {
    await denied(register(orders));
  });

  it("is not registered by an authority that nobody marked", async () => {
    const by = await createAuthority(h.officer, h.root, { trusted: false });
    await denied(register({}, { by }));
  });

  it("of another tenant gets nothing", async () => {
    const tenants = ["Another"];
    const foreign = await register({ agreement: { tenants }, kem: { tenants } });
    await denied(get(h.data, hybrid(foreign.kem)));
  });

  it("gets nothing more once one of its keys or certificates is out of use", async () => {
    const REVOKED = { revocationReason: { revocationReasonCode: "KeyCompromise" } } as const;
    for (const which of ["agreement", "kem", 0, 1] as const) {
      const made = await register();
      await get(h.data, hybrid(made.kem));
      const uniqueIdentifier = typeof which === "number" ? made.certificates[which] : made[which];
      await h.ra.request("Revoke", { uniqueIdentifier, ...REVOKED });
      await denied(get(h.data, hybrid(made.kem)));
    }
  });

  it("is asked for by nobody but the KMS", async () => {
    const { kem } = registered;
    await allDenied({ ra: get(h.data, hybrid(kem), h.ra).catch(hidden) });
  });
});

/** To others the data key is not there. */
function hidden(error: { code?: unknown }): never {
  throw error.code === "ObjectNotFound" ? Object.assign(error, { code: "PermissionDenied" }) : error;
}
