import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { START } from "../authority.fixture.ts";
import { type Changes, Hierarchy } from "./hierarchy.fixture.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";

/** A master key that is an RSA pair, in the instance: the links to account keys of either kind, and what is not what it asked for. */

const RSA = {
  ...{ name: "RSA-OAEP", hash: "SHA-256", modulusLength: 3072 },
  publicExponent: new Uint8Array([1, 0, 1]),
};
const ELEMENTS = [true, ["wrapKey", "unwrapKey", "encrypt"]] as const;
let own: TestInstance;
let master: CryptoKeyPair;
let unwrapped: CryptoKey[];

beforeAll(async () => {
  own = await testInstance();
  master = await crypto.subtle.generateKey(RSA, ...ELEMENTS);
});
beforeEach(() => {
  unwrapped = [];
});

const hierarchyOf = (pairs: boolean, by = master) =>
  new Hierarchy(own.authority, own.certificate, () => START, pairs, by).account("a-1");

const ladder = ({ authorities }: Hierarchy) => testLadder(own, { authorities }, unwrapped);

const links = () =>
  unwrapped.map(({ algorithm, extractable, usages }) => [algorithm.name, extractable, ...usages]);
const CEK = ["AES-GCM", false, "unwrapKey"];
const PAIR = ["RSA-OAEP", false, "unwrapKey"];
const DATA = ["HKDF", false, "deriveKey"];
const flipped = (text: string, at: number) => {
  const bytes = decodeBase64url(text);
  bytes[at]! ^= 1;
  return encodeBase64url(bytes);
};

describe("a master key that is a pair", () => {
  it("W1 Promise 2 unwraps a symmetric account key, in handles that do one thing", async () => {
    const instance = ladder(await hierarchyOf(false));
    expect((await instance.sealing("a-1")).edk.wrapping).toBe("A256KW");
    expect(links()).toEqual([CEK, PAIR, ["AES-KW", false, "unwrapKey"], DATA]);
    expect(await instance.renew("a-1")).toMatchObject({ keyVersion: 2 });
  });

  it("W1 Promise 2 unwraps an account's pair by way of a content-encryption key, in handles that do one thing", async () => {
    const instance = ladder(await hierarchyOf(true));
    expect((await instance.sealing("a-1")).edk.wrapping).toBe("RSA-OAEP-256");
    expect(links()).toEqual([CEK, PAIR, CEK, PAIR, DATA]);
    expect(await instance.renew("a-1")).toMatchObject({ keyVersion: 2 });
  });

  it("W14 makes no second layer", async () => {
    const instance = ladder(await hierarchyOf(false));
    await expect(instance.layerKey("m-1")).rejects.toMatchObject({ code: "key-refused" });
  });

  it.each<[string, boolean, (hierarchy: Hierarchy) => Changes | Promise<Changes>, number]>([
    [
      "another private half than the receipt names",
      false,
      () => ({ released: { privateKey: "A".repeat(2400) } }),
      0,
    ],
    ["no private half", false, () => ({ released: { privateKey: undefined as never } }), 0],
    ["another key over it", false, () => ({ wrappedKey: encodeBase64url(new Uint8Array(384)) }), 0],
    [
      "an altered Enc(account)",
      false,
      (hierarchy) => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped, 9) } }),
      2,
    ],
    [
      "an altered Enc(account) of a pair, in its content-encryption key",
      true,
      (hierarchy) => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped, 9) } }),
      2,
    ],
    [
      "an altered Enc(account) of a pair, in its private half",
      true,
      (hierarchy) => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped, 900) } }),
      3,
    ],
    [
      "an account key of the other kind, called a pair",
      true,
      async () => ({ account: { wrapped: (await hierarchyOf(false)).wrappedAccountKey("a-1").wrapped } }),
      2,
    ],
    [
      "another tenant's Enc(account)",
      true,
      async () => {
        const other = await crypto.subtle.generateKey(RSA, ...ELEMENTS);
        return { account: (await hierarchyOf(true, other)).wrappedAccountKey("a-1") };
      },
      2,
    ],
  ])("W1 does not decrypt %s", async (_, pairs, change, count) => {
    const hierarchy = await hierarchyOf(pairs);
    hierarchy.change = await change(hierarchy);
    await expect(ladder(hierarchy).sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(unwrapped).toHaveLength(count);
  });
});
