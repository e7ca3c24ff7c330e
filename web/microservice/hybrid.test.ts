import { createPublicKey, webcrypto } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { wrapHybrid } from "#emulator/hsm/crypto/hybrid.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { VECTOR } from "#protocol/hybrid.fixture.ts";
import { type HybridRecipient, hybridParts } from "#protocol/hybrid.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import {
  type Authority,
  type Change,
  DN,
  keyAgreement,
  keyEncipherment,
  makeAuthority,
  ORIGIN,
  spkiOf,
} from "./authority.fixture.ts";
import { collect, context, TestBrowser } from "./browser.fixture.ts";
import { captureCrypto } from "./crypto.ts";
import { type CertifiedHybrid, generateHybrid, hybridRecipient, unwrapHybrid } from "./hybrid.ts";

vi.setConfig({ testTimeout: 30_000 });

const { subtle } = captureCrypto(crypto);
type Bytes = Uint8Array<ArrayBuffer>;
const DEMANDED: KeyPolicy = { operations: ["encrypt", "decrypt"], wrapping: "hybrid" };
const SAID = { wrapping: "hybrid" } as const;

let authority: Authority;
let browser: TestBrowser;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
});

const publicKey = (spki: Uint8Array) =>
  createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
/** As the HSM does it. */
const wrapTo =
  ({ agreement, kem }: HybridRecipient, change: (wrapped: Bytes) => Bytes = (same) => same) =>
  (key: Bytes) =>
    change(wrapHybrid(publicKey(agreement), publicKey(kem), key));
const own = () => browser.store.instances.get(`${ORIGIN} ${DN}`)?.hybrid as CertifiedHybrid;
const bytes = (name: keyof typeof VECTOR) => decodeBase64url(VECTOR[name]);

/** What a data key gives, as it is never seen itself. */
async function told(key: CryptoKey): Promise<Bytes> {
  const hkdf = { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(), info: new Uint8Array() };
  const mac = await crypto.subtle.deriveKey(hkdf, key, { name: "HMAC", hash: "SHA-256", length: 256 }, true, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.exportKey("raw", mac));
}

/** Node has ML-KEM; another engine (test/peculiar) may lack it. */
const lacks = crypto !== webcrypto && !("decapsulateKey" in crypto.subtle);

describe.skipIf(lacks)("a hybrid recipient", () => {
  it("opens a vector that none of this code made", async () => {
    const importKey = (name: "agreementPrivate" | "kemPrivate", algorithm: string, usage: string) =>
      crypto.subtle.importKey("pkcs8", bytes(name), algorithm, false, [usage as KeyUsage]);
    const keys: CertifiedHybrid = {
      agreementKey: await importKey("agreementPrivate", "X25519", "deriveKey"),
      kemKey: await importKey("kemPrivate", "ML-KEM-768", "decapsulateKey"),
      certificates: [
        await authority.leaf(bytes("agreement"), keyAgreement),
        await authority.leaf(bytes("kem"), keyEncipherment),
      ],
    };
    const key = await unwrapHybrid(
      subtle,
      keys,
      concat(bytes("share"), bytes("ciphertext"), bytes("sealed")),
    );
    expect(key).toMatchObject({ extractable: false, usages: ["deriveKey"], algorithm: { name: "HKDF" } });
    const known = await crypto.subtle.importKey("raw", bytes("key"), "HKDF", false, ["deriveKey"]);
    expect(await told(key)).toEqual(await told(known));
  });

  it("loads by both keys, none of which can be exported, and after a reload", async () => {
    const { client, instance } = await browser.enrolledClient();
    const { agreementKey, kemKey } = own();
    for (const [key, usage] of [
      [agreementKey, "deriveKey"],
      [kemKey, "decapsulateKey"],
    ] as const)
      expect(key).toMatchObject({ type: "private", extractable: false, usages: [usage] });
    const load = await authority.release(instance.wrappingCertificate, {
      wrap: wrapTo(hybridRecipient(own())),
      edk: { policy: DEMANDED },
      receipt: { ...SAID, policy: DEMANDED },
    });
    await client.load(load);
    const sealed = await collect(await client.seal({ edk: load.edk, context }, new Blob(["hello"])));
    const again = browser.start();
    await again.client.hello(DN);
    const opened = await collect(await again.client.open({ context }, new Blob([sealed])));
    expect(new TextDecoder().decode(opened)).toBe("hello");
    const [entrusted = ""] = await again.client.entrust([load.edk]);
    const brought = await collect(await again.client.open({ context, key: entrusted }, new Blob([sealed])));
    expect(new TextDecoder().decode(brought)).toBe("hello");
  });

  const at = (index: number) => (wrapped: Bytes) => wrapped.with(index, (wrapped.at(index) ?? 0) ^ 1);
  it.each<[string, (wrapped: Bytes) => Bytes]>([
    ["an altered ML-KEM ciphertext", at(500)],
    ["another X25519 share", at(3)],
    [
      "a share with which every secret is zero",
      (wrapped) => concat(new Uint8Array(32), wrapped.subarray(32)),
    ],
    ["an altered layer", at(-20)],
    ["an altered tag", at(-1)],
    [
      "another message's ciphertext",
      (wrapped) => {
        const other = hybridParts(wrapTo(hybridRecipient(own()))(new Uint8Array(32)));
        const { share, sealed } = hybridParts(wrapped);
        return concat(share, other.ciphertext, sealed);
      },
    ],
  ])("refuses %s, always by the one code", async (_, change) => {
    const { client, instance } = await browser.enrolledClient();
    const load = await authority.release(instance.wrappingCertificate, {
      wrap: wrapTo(hybridRecipient(own()), change),
      receipt: SAID,
    });
    await expect(client.load(load)).rejects.toMatchObject({ code: "key-refused" });
    expect(await client.has(load.edk)).toBe(false);
  });

  it("refuses what is wrapped to another instance, by both keys or by one", async () => {
    const { client, instance } = await browser.enrolledClient();
    const [mine, other] = [hybridRecipient(own()), await generateHybrid(subtle)];
    if (!other) throw new Error("no ML-KEM here");
    for (const to of [other, { ...mine, kem: other.kem }, { ...mine, agreement: other.agreement }]) {
      const of = { wrap: wrapTo(to), receipt: SAID };
      const load = await authority.release(instance.wrappingCertificate, of);
      await expect(client.load(load)).rejects.toMatchObject({ code: "key-refused" });
    }
  });

  it("takes no RSA-OAEP where EDK or receipt demand both, whoever answers so", async () => {
    const { client, instance } = await browser.enrolledClient();
    const { wrappingCertificate } = instance;
    const wrap = wrapTo(hybridRecipient(own()));
    for (const changes of [
      { edk: { policy: DEMANDED } },
      { receipt: { policy: DEMANDED } },
      { edk: { policy: DEMANDED }, receipt: SAID },
      { receipt: SAID },
      // Nor one that the receipt does not name.
      { wrap },
    ])
      await expect(client.load(await authority.release(wrappingCertificate, changes))).rejects.toMatchObject({
        code: "key-refused",
      });
  });

  it("is none where its certificates were stripped, and then gets nothing that is demanded so", async () => {
    const stripped = ({ hybrid: _, ...rest }: Parameters<Change>[0]) => ({
      ...rest,
      hybrid: undefined as never,
    });
    const { client } = browser.start(browser.registration(stripped));
    await client.hello(DN);
    const { wrappingCertificate } = await client.enrol({ method: "grant", grant: "grant" });
    expect(own()).toBeUndefined();
    await client.load(await authority.release(wrappingCertificate));
    const demanded = await authority.release(wrappingCertificate, {
      edk: { policy: DEMANDED },
      receipt: { policy: DEMANDED },
    });
    await expect(client.load(demanded)).rejects.toMatchObject({ code: "key-refused" });
  });

  it.each<[string, Change]>([
    [
      "for each other's keys",
      async ({ hybrid }) => ({
        hybrid: {
          agreementCertificate: encodeBase64url(
            await authority.leaf(spkiOf(hybrid!.kemCertificate), keyAgreement),
          ),
          kemCertificate: encodeBase64url(
            await authority.leaf(spkiOf(hybrid!.agreementCertificate), keyEncipherment),
          ),
        },
      }),
    ],
    [
      "for another use",
      async ({ hybrid }) => ({
        hybrid: {
          ...hybrid!,
          agreementCertificate: encodeBase64url(
            await authority.leaf(spkiOf(hybrid!.agreementCertificate), keyEncipherment),
          ),
        },
      }),
    ],
    [
      "of another tier",
      async ({ hybrid }) => ({
        hybrid: {
          ...hybrid!,
          kemCertificate: encodeBase64url(
            await authority.leaf(spkiOf(hybrid!.kemCertificate), keyEncipherment, { tier: "hardware" }),
          ),
        },
      }),
    ],
    [
      "of another custodian",
      async ({ hybrid }) => ({
        hybrid: {
          ...hybrid!,
          kemCertificate: encodeBase64url(
            await authority.leaf(spkiOf(hybrid!.kemCertificate), keyEncipherment, {
              custodian: DN.replace("u-1", "u-2"),
            }),
          ),
        },
      }),
    ],
  ])("does not enrol with certificates %s", async (_, change) => {
    const { client } = browser.start(browser.registration(change));
    await client.hello(DN);
    await expect(client.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "enrolment-refused",
    });
  });
});

it("has RSA-OAEP alone where the engine has no ML-KEM", async () => {
  const { decapsulateKey: _, ...without } = subtle;
  expect(await generateHybrid(without)).toBeUndefined();
  const refusing = { ...subtle, generateKey: () => Promise.reject(new Error("NotSupportedError")) };
  expect(await generateHybrid(refusing)).toBeUndefined();
});
