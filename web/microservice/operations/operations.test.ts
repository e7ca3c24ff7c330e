import { createHmac, hkdfSync } from "node:crypto";
import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import type { AccountEdk } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { verifySignature } from "#protocol/signatures.ts";
import { type Authority, ENGINE_SIGNATURES, makeAuthority, START } from "../authority.fixture.ts";
import { context, TestBrowser } from "../browser.fixture.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

const MAC_POLICY: KeyPolicy = { operations: ["mac", "macVerify"] };
const MAC_EDK: Partial<AccountEdk> = {
  keyId: "k-2",
  algorithm: "HMAC-SHA256-HKDF-SHA512",
  purpose: "data",
  policy: MAC_POLICY,
};
const data = encodeBase64url(utf8("what is vouched for"));
const ofData = { ...context, purpose: "data" };

let authority: Authority;
let browser: TestBrowser;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
});

/** An enrolled instance with a key for data and one for MACs. */
async function loaded() {
  const started = await browser.enrolledClient();
  const certificate = started.instance.wrappingCertificate;
  const [sealing, mac] = await Promise.all([
    authority.release(certificate),
    authority.release(certificate, { edk: MAC_EDK, receipt: { keyId: "k-2", policy: MAC_POLICY } }),
  ]);
  await started.client.load(sealing);
  await started.client.load(mac);
  return { ...started, certificate, sealing: sealing.edk, macKey: mac.edk };
}

it("M17 encrypts in one piece what opens by one piece and as a stream, in its context alone", async () => {
  const { client, sealing: key } = await loaded();
  for (const bytes of [new Uint8Array(), utf8("a"), new Uint8Array(1 << 20).fill(7)]) {
    const plain = encodeBase64url(bytes);
    const { message } = await client.operate("encrypt", { key, context: ofData, data: plain });
    expect((await client.operate("decrypt", { context: ofData, message })).data === plain).toBe(true);
    const stream = client.open({ context: ofData }, decodeBase64url(message));
    expect((await new Response(stream).arrayBuffer()).byteLength).toBe(bytes.length);
    await expect(client.operate("decrypt", { context, message })).rejects.toMatchObject({
      code: "decrypt-failed",
    });
    const flipped = decodeBase64url(message);
    flipped[flipped.length - 1]! ^= 1;
    const altered = { context: ofData, message: encodeBase64url(flipped) };
    await expect(client.operate("decrypt", altered)).rejects.toMatchObject({ code: "decrypt-failed" });
  }
});

it("M17 makes the MAC that HKDF and HMAC of another implementation make of the same key, and verifies no other", async () => {
  const { client, macKey: key } = await loaded();
  const { mac } = await client.operate("mac", { key, data });
  expect(await client.operate("macVerify", { key, data, mac })).toEqual({ valid: true });
  const raw = authority.released.get("k-2")!;
  const derived = hkdfSync("sha512", raw, "", "coffer-mac-v1", 32);
  const expected = createHmac("sha256", new Uint8Array(derived)).update("what is vouched for").digest();
  expect(mac).toBe(encodeBase64url(expected));
  const other = encodeBase64url(utf8("what is vouched fog"));
  expect(await client.operate("macVerify", { key, data: other, mac })).toEqual({ valid: false });
  expected[0]! ^= 1;
  const altered = { key, data, mac: encodeBase64url(expected) };
  expect(await client.operate("macVerify", altered)).toEqual({ valid: false });
});

it("M17 does with a key what its kind and every policy allow, and nothing else", async () => {
  const { client, certificate, sealing, macKey } = await loaded();
  const refused = { code: "forbidden" };
  await expect(client.operate("mac", { key: sealing, data })).rejects.toMatchObject(refused);
  await expect(client.operate("encrypt", { key: macKey, context: ofData, data })).rejects.toMatchObject(
    refused,
  );
  // Neither does a policy widen what the kind of a key is for.
  const policy: KeyPolicy = { operations: ["encrypt", "decrypt", "mac", "macVerify"] };
  const wide = await authority.release(certificate, { edk: { policy }, receipt: { policy } });
  await client.load(wide);
  await expect(client.operate("mac", { key: wide.edk, data })).rejects.toMatchObject(refused);
  const narrow: KeyPolicy = { operations: ["macVerify"] };
  const verifying = await authority.release(certificate, {
    edk: { ...MAC_EDK, policy: MAC_POLICY },
    receipt: { keyId: "k-2", policy: narrow },
  });
  await client.load(verifying);
  await expect(client.operate("mac", { key: verifying.edk, data })).rejects.toMatchObject(refused);
  const unknown = await authority.release(certificate);
  await expect(client.operate("mac", { key: unknown.edk, data })).rejects.toMatchObject({
    code: "key-missing",
  });
});

it.each(ENGINE_SIGNATURES)(
  "M17 %s: signs with a key that came to it, and gives its public half",
  async (algorithm) => {
    const { client, certificate } = await loaded();
    const policy: KeyPolicy = { operations: ["sign", "verify"] };
    const edk = { keyId: "k-3", purpose: "signature", policy };
    const load = await authority.release(certificate, {
      pair: algorithm,
      edk,
      receipt: { keyId: "k-3", policy },
    });
    await client.load(load);
    const { signature } = await client.operate("sign", { key: load.edk, data });
    const found = await client.operate("publicKey", { key: load.edk });
    expect(found.algorithm).toBe(algorithm);
    const by = { algorithm, publicKey: decodeBase64url(found.publicKey) };
    const of = { data: decodeBase64url(data), signature: decodeBase64url(signature) };
    expect(await verifySignature(crypto.subtle, by, of)).toBe(true);
    expect(await client.operate("verify", { key: load.edk, data, signature })).toEqual({ valid: true });
    // Brought with each request it signs likewise (M10).
    const [held = ""] = await client.entrust([load.edk]);
    const brought = await client.operate("sign", { key: held, data });
    expect(await client.operate("verify", { key: held, data, ...brought })).toEqual({ valid: true });
  },
);

it("M17 takes no pair that is not under the key that came, nor under an algorithm that has none", async () => {
  const { client, certificate } = await loaded();
  const policy: KeyPolicy = { operations: ["sign", "verify"] };
  const of = { edk: { keyId: "k-3", purpose: "signature", policy }, receipt: { keyId: "k-3", policy } };
  const own = await authority.release(certificate, { pair: "ES256", ...of });
  const [, payload = ""] = own.edk.split(".");
  const { signing } = JSON.parse(Buffer.from(payload, "base64url").toString());
  const refused = { code: "key-refused" };
  // The pair of one key in the EDK of another, each signed by the KMS.
  const foreign = await authority.release(certificate, { pair: "ES256", ...of, edk: { ...of.edk, signing } });
  await expect(client.load(foreign)).rejects.toMatchObject(refused);
  const altered = decodeBase64url(signing.privateKey);
  altered[40]! ^= 1;
  for (const edk of [
    { ...MAC_EDK, keyId: "k-3", signing },
    { algorithm: "ES256", ...of.edk },
    { algorithm: "ES384", ...of.edk, signing },
    { algorithm: "ES256", ...of.edk, signing: { ...signing, privateKey: encodeBase64url(altered) } },
  ] as Partial<AccountEdk>[])
    await expect(client.load(await authority.release(certificate, { ...of, edk }))).rejects.toMatchObject(
      refused,
    );
});

it("M17 verifies with a key that it may not sign with, and signs with none that is loaded for something else", async () => {
  const { client, certificate, sealing, macKey } = await loaded();
  const refused = { code: "forbidden" };
  for (const key of [sealing, macKey]) {
    await expect(client.operate("sign", { key, data })).rejects.toMatchObject(refused);
    await expect(client.operate("publicKey", { key })).rejects.toMatchObject(refused);
  }
  const policy: KeyPolicy = { operations: ["sign", "verify"] };
  const receipt = { keyId: "k-3", policy: { operations: ["verify"] } as KeyPolicy };
  const edk = { keyId: "k-3", purpose: "signature", policy };
  const load = await authority.release(certificate, { pair: "ES256", edk, receipt });
  await client.load(load);
  const key = load.edk;
  await expect(client.operate("sign", { key, data })).rejects.toMatchObject(refused);
  await expect(client.operate("mac", { key, data })).rejects.toMatchObject(refused);
  await expect(client.operate("encrypt", { key, context: ofData, data })).rejects.toMatchObject(refused);
  const signature = "A".repeat(86);
  expect(await client.operate("verify", { key, data, signature })).toEqual({ valid: false });
  const late = { exp: START / 1000 - 1, ...receipt };
  await expect(
    client.load(await authority.release(certificate, { pair: "ES256", edk, receipt: late })),
  ).rejects.toMatchObject({ code: "key-refused" });
});

it("M17 hashes, and gives random bytes that are others each time", async () => {
  const { client } = await loaded();
  const { digest } = await client.operate("hash", { algorithm: "SHA-256", data: "" });
  expect(digest).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
  const [a, b] = await Promise.all([1, 2].map(() => client.operate("random", { length: 32 })));
  expect(decodeBase64url(a!.bytes)).toHaveLength(32);
  expect(a!.bytes).not.toBe(b!.bytes);
});

it("M17 takes no input beyond its bounds", async () => {
  const { client } = await loaded();
  const { client: other } = browser.start();
  await expect(other.operate("random", { length: 1 })).rejects.toMatchObject({ code: "hello-required" });
  await expect(client.operate("random", { length: 1025 })).rejects.toMatchObject({ code: "port-violation" });
});
