import { beforeAll, beforeEach, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { START } from "../authority.fixture.ts";
import { captureCrypto } from "../crypto.ts";
import type { UnwrappingDevice } from "../device.ts";
import { Hierarchy } from "./hierarchy.fixture.ts";
import type { AccountDataKey, Step } from "./index.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";
import { takeOff, wrapOnceMore } from "./second-layer.ts";

const MINUTE = 60_000;
const { subtle } = crypto;

let own: TestInstance;
beforeAll(async () => {
  own = await testInstance();
});

let now: number;
let hierarchy: Hierarchy;
let steps: Step[];
let handles: CryptoKey[];
beforeEach(async () => {
  now = START;
  steps = [];
  handles = [];
  hierarchy = await new Hierarchy(own.authority, own.certificate, () => now).account("a-1");
});

/** As another process would begin; `device` has the app-specific key. */
function ladder(device?: UnwrappingDevice) {
  const of = {
    ...{ authorities: hierarchy.authorities, now: () => now },
    ...{ timeToLive: MINUTE, copiesTimeToLive: 10 * MINUTE, watch: (step: Step) => void steps.push(step) },
    ...(device && { wrappingKey: device }),
  };
  return testLadder(own, of, handles);
}

const named = ({ edk }: AccountDataKey) => `${edk.keyId}.${edk.keyVersion}`;
const refused = { code: "key-refused" };
/** What a key is, by what it derives. */
const proof = async ({ key }: AccountDataKey) => {
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: new Uint8Array() };
  const mac = await subtle.deriveKey(how, key, { name: "HMAC", hash: "SHA-256", length: 256 }, true, [
    "sign",
  ]);
  return encodeBase64url(new Uint8Array(await subtle.exportKey("raw", mac)));
};

it("W14 makes a data key with a second layer where the tenant wants one, once for many who seal at once", async () => {
  hierarchy.change = { receipt: { secondLayer: "data-key" } };
  const instance = ladder();
  const sealed = await Promise.all(["a-1", "a-1", "a-1"].map((account) => instance.sealing(account)));
  expect(sealed.map(named)).toEqual(["k-a-1.2", "k-a-1.2", "k-a-1.2"]);
  const [{ edk }] = sealed as [AccountDataKey];
  expect(edk.layer).toEqual({ masterKey: "m-1" });
  expect(decodeBase64url(edk.wrappedKey)).toHaveLength(12 + 40 + 16);
  expect(hierarchy.asked.filter((line) => line === "new data key of a-1")).toHaveLength(1);
  // Another one finds it as it is, and the ciphertexts have no layer.
  const another = ladder();
  expect(await proof(await another.sealing("a-1"))).toBe(await proof(sealed[0]!));
  expect(await another.sealingLayer()).toBeUndefined();
  expect(hierarchy.asked.filter((line) => line === "new data key of a-1")).toHaveLength(1);
});

it("W14 knows a layer by what the key says, whatever the tenant wants by now", async () => {
  hierarchy.change = { receipt: { secondLayer: "both" } };
  const layered = await ladder().sealing("a-1");
  for (const secondLayer of ["content", "data-key"] as const) {
    hierarchy.change = { receipt: { secondLayer } };
    expect(await proof(await ladder().opening("a-1", named(layered), ""))).toBe(await proof(layered));
  }
  hierarchy.change = {};
  const without = ladder();
  expect(await proof(await without.opening("a-1", named(layered), ""))).toBe(await proof(layered));
  expect(await without.sealingLayer()).toBeUndefined();
  // What was made before the layer opens with it on.
  hierarchy.change = { receipt: { secondLayer: "both" } };
  expect((await ladder().opening("a-1", "k-a-1.1", "")).edk.layer).toBeUndefined();
  expect((await ladder().sealingLayer())?.id).toBe("m-1");
});

it("Promise 2 has the master key for its layers in a handle of its own, which derives and does nothing else", async () => {
  hierarchy.change = { receipt: { secondLayer: "both" } };
  const instance = ladder();
  await instance.sealing("a-1");
  const { key } = (await instance.sealingLayer())!;
  expect([key.algorithm.name, key.extractable, key.usages]).toEqual(["HKDF", false, ["deriveKey"]]);
  for (const { extractable, usages } of handles) {
    expect(extractable).toBe(false);
    expect(usages).toHaveLength(1);
  }
});

it("W7 W14 drops the layer's key with the others", async () => {
  hierarchy.change = { receipt: { secondLayer: "both" } };
  const instance = ladder();
  await instance.sealing("a-1");
  steps = [];
  instance.lock();
  expect(steps.map(({ what }) => what)).toContain("second layer");
});

it("W14 follows the master key: new versions under the new one, those of before by the one that it replaced", async () => {
  hierarchy.change = { receipt: { secondLayer: "data-key" } };
  const before = await ladder().sealing("a-1");
  await hierarchy.rotateMasterKey();
  const instance = ladder();
  const after = await instance.sealing("a-1");
  expect(after.edk.layer).toEqual({ masterKey: "m-2" });
  expect(await proof(await instance.opening("a-1", named(before), ""))).toBe(await proof(before));
  expect(hierarchy.asked).toContain("master key m-1");
});

it("W14 puts the layer on for the version that comes next, though the IAM has not heard of the last", async () => {
  hierarchy.change = { receipt: { secondLayer: "data-key" } };
  hierarchy.ahead = 2;
  expect(
    named(
      await ladder()
        .renew("a-1")
        .then((edk) => ({ edk }) as AccountDataKey),
    ),
  ).toBe("k-a-1.4");
  hierarchy.ahead = 9;
  await expect(ladder().renew("a-1")).rejects.toMatchObject({ code: "conflict" });
});

it.each([
  ["another layer's master key", { layer: { masterKey: "m-9" } }],
  ["another version", { keyVersion: 7 }],
])("W14 takes no new key for its own with %s", async (_, edk) => {
  hierarchy.change = { receipt: { secondLayer: "data-key" }, edk };
  await expect(ladder().renew("a-1")).rejects.toMatchObject(refused);
});

it("W14 refuses a key whose layer was stripped, altered, or is another key's", async () => {
  hierarchy.change = { receipt: { secondLayer: "data-key" } };
  const layered = await ladder().sealing("a-1");
  const name = named(layered);
  const bytes = decodeBase64url(layered.edk.wrappedKey);
  const flipped = bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
  const open = async (edk: object) => {
    hierarchy.change = { edk };
    return ladder().opening("a-1", name, "");
  };
  await expect(open({})).resolves.toBeDefined();
  await expect(open({ layer: undefined })).rejects.toMatchObject(refused);
  await expect(open({ wrappedKey: encodeBase64url(flipped) })).rejects.toMatchObject(refused);
  await expect(open({ wrappedKey: encodeBase64url(bytes.slice(12, 52)) })).rejects.toMatchObject(refused);
  await expect(open({ layer: { masterKey: "m-9" } })).rejects.toMatchObject({ code: "not-found" });
});

it("W14 binds the layer to tenant, account, key and version", async () => {
  const captured = captureCrypto(crypto);
  const master = await subtle.importKey("raw", new Uint8Array(32), "HKDF", false, ["deriveKey"]);
  const of = { tenant: "acme", account: "a-1", keyId: "k-1", keyVersion: 2 };
  const wrapped = crypto.getRandomValues(new Uint8Array(40));
  const layered = await wrapOnceMore(captured, master, of, wrapped);
  expect(await takeOff(captured.subtle, master, of, layered)).toEqual(wrapped);
  for (const other of [{ tenant: "other" }, { account: "a-2" }, { keyId: "k-2" }, { keyVersion: 3 }])
    await expect(takeOff(captured.subtle, master, { ...of, ...other }, layered)).rejects.toMatchObject(
      refused,
    );
  // No two of the same are alike.
  expect(await wrapOnceMore(captured, master, of, wrapped)).not.toEqual(layered);
});

it("W14 has a device unwrap the master key once more, as it does the first time", async () => {
  const asked: string[] = [];
  const device: UnwrappingDevice = {
    unwrapKey(wrapped, as, usage) {
      asked.push(`${as.name} ${usage}`);
      return subtle.unwrapKey("raw", wrapped, own.keys.wrappingKey as CryptoKey, "RSA-OAEP", as, false, [
        usage,
      ]);
    },
  };
  hierarchy.change = { receipt: { secondLayer: "data-key" } };
  expect((await ladder(device).sealing("a-1")).edk.layer).toBeDefined();
  expect(new Set(asked)).toEqual(new Set(["AES-KW unwrapKey", "HKDF deriveKey"]));
});
