import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { START } from "../authority.fixture.ts";
import { type Changes, Hierarchy } from "./hierarchy.fixture.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";

/** Account keys that are RSA pairs, in the instance: the links, and what is not what it asked for. */

let own: TestInstance;
let hierarchy: Hierarchy;
let unwrapped: CryptoKey[];

beforeAll(async () => {
  own = await testInstance();
});
beforeEach(async () => {
  unwrapped = [];
  hierarchy = await new Hierarchy(own.authority, own.certificate, () => START, true).account("a-1");
});

function ladder(level: "account" | "master" = "master") {
  return testLadder(own, { level, authorities: hierarchy.authorities }, unwrapped);
}

const links = () =>
  unwrapped.map(({ algorithm, extractable, usages }) => [algorithm.name, extractable, usages]);
const flipped = (text: string, at = 20) => {
  const bytes = decodeBase64url(text);
  bytes[at]! ^= 1;
  return encodeBase64url(bytes);
};

describe("account keys that are pairs", () => {
  it("A2 Promise 2 the private half unwraps from the master key, the data key from it, each in a handle that does one thing", async () => {
    const { edk } = await ladder().sealing("a-1");
    expect(edk.wrapping).toBe("RSA-OAEP-256");
    expect(links()).toEqual([
      ["AES-GCM", false, ["unwrapKey"]],
      ["RSA-OAEP", false, ["unwrapKey"]],
      ["HKDF", false, ["deriveKey"]],
    ]);
  });

  it("W10 a data key that is made here is wrapped to the public half, and only the one that the KMS signed is used", async () => {
    const instance = ladder();
    expect(await instance.renew("a-1")).toMatchObject({ keyId: "k-a-1", keyVersion: 2 });
    expect((await instance.sealing("a-1")).edk.keyVersion).toBe(2);
    hierarchy.change = { edk: { wrappedKey: encodeBase64url(new Uint8Array(384)) } };
    await expect(ladder().renew("a-1")).rejects.toMatchObject({ code: "key-refused" });
  });

  it("W10 takes no public half but of RSA-3072", async () => {
    const weak = await crypto.subtle.generateKey(
      { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      ...([true, ["wrapKey", "unwrapKey"]] as const),
    );
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", weak.publicKey));
    hierarchy.change = { account: { publicKey: encodeBase64url(spki) } };
    await expect(ladder().renew("a-1")).rejects.toMatchObject({ code: "key-unusable" });
    hierarchy.change = { account: { publicKey: encodeBase64url(new Uint8Array(422)) } };
    await expect(ladder().renew("a-1")).rejects.toMatchObject({ code: "key-refused" });
    // That of another pair, whose private half somebody has: what is made for it is given to nobody.
    const { publicKey = "" } = (
      await new Hierarchy(own.authority, own.certificate, () => START, true).account("a-1")
    ).wrappedAccountKey("a-1");
    hierarchy.change = { account: { publicKey } };
    hierarchy.asked.length = 0;
    await expect(ladder().renew("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(hierarchy.asked).not.toContain("new data key of a-1");
  });

  it("W12 follows a rotation of the master key, and of the account key", async () => {
    await ladder().sealing("a-1");
    await hierarchy.rotateMasterKey();
    await hierarchy.rotateAccountKey("a-1");
    await hierarchy.renewDataKey("a-1");
    const instance = ladder();
    expect((await instance.sealing("a-1")).edk.keyVersion).toBe(2);
    expect((await instance.opening("a-1", "k-a-1.1", "")).edk.keyVersion).toBe(1);
  });

  it.each<[string, () => Changes | Promise<Changes>, number]>([
    [
      "an altered Enc(account)",
      () => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped) } }),
      1,
    ],
    [
      "Enc(account) under another nonce",
      () => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped, 3) } }),
      1,
    ],
    ["an Enc(account) that is too short", () => ({ account: { wrapped: "A".repeat(54) } }), 1],
    [
      "another account's pair in its place",
      async () => {
        await hierarchy.account("a-2");
        return { account: hierarchy.wrappedAccountKey("a-2") };
      },
      2,
    ],
    ["an altered Enc(data)", () => ({ edk: { wrappedKey: encodeBase64url(new Uint8Array(384)) } }), 2],
  ])("W1 does not decrypt %s", async (_, change, count) => {
    hierarchy.change = await change();
    await expect(ladder().sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(unwrapped).toHaveLength(count);
  });

  it("W1 an account key of another kind than its EDK says is refused before anything is unwrapped", async () => {
    hierarchy.change = { edk: { wrapping: "A256KW", wrappedKey: encodeBase64url(new Uint8Array(40)) } };
    await expect(ladder().sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    hierarchy.change = { account: { publicKey: undefined as never } };
    await expect(ladder().sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(unwrapped).toEqual([]);
  });
});

describe("account keys that are pairs, at level account", () => {
  it("W1 the private half comes under a key that is encrypted to the instance, and unwraps data keys", async () => {
    const instance = ladder("account");
    await instance.sealing("a-1");
    expect(links()).toEqual([
      ["AES-GCM", false, ["unwrapKey"]],
      ["RSA-OAEP", false, ["unwrapKey"]],
      ["HKDF", false, ["deriveKey"]],
    ]);
    expect(await instance.renew("a-1")).toMatchObject({ keyVersion: 2 });
  });

  it.each<[string, () => Changes]>([
    ["another private half than the receipt names", () => ({ released: { privateKey: "A".repeat(2400) } })],
    ["no private half", () => ({ released: { privateKey: undefined as never } })],
    ["another key over it", () => ({ wrappedKey: encodeBase64url(new Uint8Array(384)) })],
    ["no public half", () => ({ released: { publicKey: undefined as never } })],
  ])("W1 refuses before it unwraps %s", async (_, change) => {
    hierarchy.change = change();
    await expect(ladder("account").sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(unwrapped).toEqual([]);
  });
});
