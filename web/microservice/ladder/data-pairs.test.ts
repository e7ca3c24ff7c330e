import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { partsOfPair } from "#protocol/keys/index.ts";
import { START } from "../authority.fixture.ts";
import { captureCrypto } from "../crypto.ts";
import { Hierarchy } from "./hierarchy.fixture.ts";
import { makeSecret, openSecret } from "./index.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";

/** Data keys that are RSA pairs, in the instance: how they are made, the links, and what is none. */

let own: TestInstance;
let hierarchy: Hierarchy;
let handles: CryptoKey[];
/** What was asked of a handle that could be exported. */
let extractable: string[];

beforeAll(async () => {
  own = await testInstance();
});

async function begin(accountPairs: boolean) {
  [handles, extractable] = [[], []];
  hierarchy = await new Hierarchy(own.authority, own.certificate, () => START, accountPairs).account("a-1");
  hierarchy.dataKeys = "RSA-3072";
}
beforeEach(() => begin(false));

function isSecret(one: unknown): one is CryptoKey {
  const { type, usages } = Object(one) as Partial<CryptoKey>;
  return usages !== undefined && (type === "private" || type === "secret");
}

function ladder(level: "account" | "master" = "master") {
  const captured = captureCrypto(crypto);
  const { subtle } = captured;
  const watched = Object.fromEntries(
    Object.entries(subtle).map(([name, method]) => [
      name,
      async (...given: unknown[]) => {
        // Not by its class: each engine has one of its own.
        const secret = given.filter((one) => isSecret(one) && one.extractable);
        if (secret.length > 0) extractable.push(name);
        const key = await (method as (...of: unknown[]) => Promise<unknown>)(...given);
        if (name === "unwrapKey") handles.push(key as CryptoKey);
        return key;
      },
    ]),
  ) as typeof subtle;
  return testLadder(own, {
    ...{ level, authorities: hierarchy.authorities, crypto: { ...captured, subtle: watched } },
  });
}

describe("data keys that are pairs", () => {
  it.each([
    ["master", false],
    ["master", true],
    ["account", false],
    ["account", true],
  ] as const)(
    "W1 Promise 2 at level %s, account key a pair: %s: made once, and unwrapped in handles that do one thing",
    async (level, accountPairs) => {
      await begin(accountPairs);
      const { edk, pair } = await ladder(level).sealing("a-1");
      expect([edk.keyVersion, edk.wrapping]).toEqual([2, accountPairs ? "RSA-OAEP-256+A256GCM" : "A256GCM"]);
      // What could be exported as it was made is wrapped, and nothing else is done with it.
      expect(new Set(extractable)).toEqual(new Set(["wrapKey"]));
      for (const { extractable, usages } of handles) expect([extractable, usages.length]).toEqual([false, 1]);
      expect(handles.slice(-2).map(({ algorithm, usages }) => [algorithm.name, usages])).toEqual([
        ["RSA-OAEP", ["unwrapKey"]],
        ["HKDF", ["deriveKey"]],
      ]);
      // Another instance finds it.
      const other = await ladder(level).sealing("a-1");
      expect(other.edk).toEqual(edk);
      const secret = await makeSecret(captureCrypto(crypto), pair!);
      const opened = await openSecret(crypto.subtle, other.pair!, secret);
      expect([opened.algorithm.name, opened.extractable, opened.usages]).toEqual([
        "HKDF",
        false,
        ["deriveKey"],
      ]);
      for (const at of [0, 20, 411]) {
        const altered = secret.slice();
        altered[at]! ^= 1;
        await expect(openSecret(crypto.subtle, other.pair!, altered)).rejects.toMatchObject({
          code: "decrypt-failed",
        });
      }
    },
  );

  it("W14 puts the second layer around a pair, and takes it off", async () => {
    hierarchy.change = { receipt: { secondLayer: "data-key" } };
    const { edk } = await ladder().sealing("a-1");
    expect([edk.keyVersion, edk.wrapping, edk.layer]).toEqual([2, "A256GCM", { masterKey: "m-1" }]);
    expect((await ladder().sealing("a-1")).edk).toEqual(edk);
  });

  it("W1 refuses a pair whose halves are of two pairs, whose secret is another's, and what is none", async () => {
    const [mine, theirs] = [
      await ladder().sealing("a-1"),
      await ladder()
        .renew("a-1")
        .then(() => ladder().sealing("a-1")),
    ];
    const parts = (edk: { wrappedKey: string }) => partsOfPair(decodeBase64url(edk.wrappedKey));
    const [a, b] = [parts(mine.edk), parts(theirs.edk)];
    const flipped = a.privateKey.slice();
    flipped[30]! ^= 1;
    const altered = {
      secret: concat(a.publicKey, b.secret, a.privateKey),
      "private half": concat(a.publicKey, a.secret, b.privateKey),
      bits: concat(a.publicKey, a.secret, flipped),
      "public half": concat(new Uint8Array(422), a.secret, a.privateKey),
    };
    for (const [what, bytes] of Object.entries(altered)) {
      hierarchy.change = { edk: { wrappedKey: encodeBase64url(bytes), wrapping: "A256GCM" } };
      await expect(ladder().sealing("a-1"), what).rejects.toMatchObject({ code: "key-refused" });
    }
    // The other's public half: what is wrapped to it opens by no half that is here.
    hierarchy.change = {
      edk: { wrappedKey: encodeBase64url(concat(b.publicKey, a.secret, a.privateKey)), wrapping: "A256GCM" },
    };
    const { pair } = await ladder().sealing("a-1");
    const secret = await makeSecret(captureCrypto(crypto), pair!);
    await expect(openSecret(crypto.subtle, pair!, secret)).rejects.toMatchObject({ code: "decrypt-failed" });
  });
});
