import { webcrypto } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { START } from "../authority.fixture.ts";
import { appKeysInMemory, type Changes, Hierarchy } from "./hierarchy.fixture.ts";
import type { AppKeyStore } from "./index.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";

/** A symmetric app-specific key in the instance (W1): how it comes, what it unwraps, and what is not what it asked for. */

const RSA = {
  ...{ name: "RSA-OAEP", hash: "SHA-256", modulusLength: 3072 },
  publicExponent: new Uint8Array([1, 0, 1]),
};
let own: TestInstance;
let pair: CryptoKeyPair;
let unwrapped: CryptoKey[];

beforeAll(async () => {
  own = await testInstance();
  pair = await crypto.subtle.generateKey(RSA, true, ["wrapKey", "unwrapKey", "encrypt"]);
});
beforeEach(() => {
  unwrapped = [];
});

async function hierarchyOf(master?: CryptoKeyPair, pairs = false): Promise<Hierarchy> {
  const hierarchy = await new Hierarchy(own.authority, own.certificate, () => START, pairs, master).account(
    "a-1",
  );
  hierarchy.symmetric = true;
  return hierarchy;
}

const ladder = ({ authorities }: Hierarchy, appKeys: AppKeyStore = appKeysInMemory()) =>
  testLadder(own, { authorities, appKeys }, unwrapped);

const links = () =>
  unwrapped.map(({ algorithm, extractable, usages }) => [algorithm.name, extractable, ...usages]);
const KW = ["AES-KW", false, "unwrapKey"];
const GCM = ["AES-GCM", false, "unwrapKey"];
const PAIR = ["RSA-OAEP", false, "unwrapKey"];
const DATA = ["HKDF", false, "deriveKey"];

/** Node gives what X25519 agrees on as a key that others are derived from, and not each other engine (test/peculiar) does. */
async function agrees(): Promise<boolean> {
  const { subtle } = crypto;
  const { publicKey, privateKey } = (await subtle.generateKey("X25519", false, [
    "deriveKey",
  ])) as CryptoKeyPair;
  const derived = subtle.deriveKey({ name: "X25519", public: publicKey }, privateKey, "HKDF", false, [
    "deriveKey",
  ]);
  return derived.then(
    () => true,
    () => false,
  );
}

describe.skipIf(crypto !== webcrypto && !(await agrees()))("a symmetric app-specific key", () => {
  it("W1 Promise 2 unwraps a symmetric master key, in handles that do one thing", async () => {
    await ladder(await hierarchyOf()).sealing("a-1");
    expect(links()).toEqual([KW, KW, KW, DATA]);
  });

  it("W1 Promise 2 unwraps one whose account keys are pairs, and one that is a pair itself", async () => {
    await ladder(await hierarchyOf(undefined, true)).sealing("a-1");
    expect(links()).toEqual([KW, GCM, PAIR, DATA]);
    unwrapped = [];
    await ladder(await hierarchyOf(pair)).sealing("a-1");
    expect(links()).toEqual([GCM, PAIR, KW, DATA]);
  });

  it("W1 W14 gives the key of a second layer too", async () => {
    await ladder(await hierarchyOf()).layerKey("m-1");
    expect(links()).toEqual([KW, DATA]);
  });

  it("W12 is kept and held, until it is replaced", async () => {
    const [hierarchy, kept] = [await hierarchyOf(), appKeysInMemory()];
    const first = ladder(hierarchy, kept);
    await first.start();
    const held = (await kept.read())!;
    expect(held.wrapped).toHaveLength(384);
    await ladder(hierarchy, kept).sealing("a-1");
    expect(await kept.read()).toBe(held);
    expect(await first.replaceAppKey()).not.toBe(held.id);
    await first.sealing("a-1");
    // Where they are pairs there is none to replace.
    hierarchy.symmetric = false;
    await expect(ladder(hierarchy).replaceAppKey()).rejects.toMatchObject({ code: "key-missing" });
    // Nor is one that is kept from before taken for a new one.
    await expect(ladder(hierarchy, kept).replaceAppKey()).rejects.toMatchObject({ code: "key-missing" });
  });

  const other = () => encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
  it.each<[string, () => Changes]>([
    ["another key than the receipt's", () => ({ appKey: { digest: other() } })],
    ["another channel than the receipt's", () => ({ appKey: { channel: other() } })],
    ["no channel in the receipt", () => ({ appKey: { channel: undefined } as never })],
    ["the share of another channel", () => ({ sealed: { share: other() } })],
    ["a share that makes the secret zero", () => ({ sealed: { share: "A".repeat(43) } })],
    ["what another key has encrypted", () => ({ sealed: { nonce: "A".repeat(16) } })],
    ["a key that did not come", () => ({ released: { appKey: undefined } as never })],
    ["more than a receipt says of it", () => ({ appKey: { more: 1 } as never })],
  ])("W1 M20 refuses %s, and keeps nothing", async (_, change) => {
    const [hierarchy, kept] = [await hierarchyOf(), appKeysInMemory()];
    hierarchy.change = change();
    await expect(ladder(hierarchy, kept).start()).rejects.toMatchObject({ code: "key-refused" });
    expect(await kept.read()).toBeUndefined();
  });

  it("W1 M20 refuses a key that is held under the name of another", async () => {
    const [hierarchy, kept] = [await hierarchyOf(), appKeysInMemory()];
    await ladder(hierarchy, kept).start();
    const { id } = (await kept.read())!;
    const swapped = appKeysInMemory({ id, wrapped: new Uint8Array(384) });
    await expect(ladder(hierarchy, swapped).start()).rejects.toMatchObject({ code: "key-refused" });
  });
});
