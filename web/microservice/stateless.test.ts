/** M10: keys that the instance entrusts to its custodian, and that each later request brings. */

import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { jwsPart } from "#protocol/jws.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { type Authority, DN, makeAuthority, START } from "./authority.fixture.ts";
import { collect, context, TestBrowser } from "./browser.fixture.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

const data = encodeBase64url(utf8("a letter to nobody else"));
let authority: Authority;
let browser: TestBrowser;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
});

type Changes = Parameters<Authority["release"]>[1];

/** An instance that has entrusted one key, and keeps none. */
async function entrusted(changes?: Changes) {
  const started = await browser.enrolledClient();
  const release = await authority.release(started.instance.wrappingCertificate, changes);
  await started.client.load(release);
  const [key] = await started.client.entrust([release.edk]);
  return { ...started, ...release, key: key! };
}

const headerOf = (key: string) =>
  JSON.parse(new TextDecoder().decode(decodeBase64url(key.split(".")[0]!))) as { policy: KeyPolicy };

it("M10 entrusts a loaded key and keeps no copy; each request brings it, and it is unwrapped for that request alone", async () => {
  const { client, edk, key, wrappedKey } = await entrusted();
  expect(await client.has(edk)).toBe(false);
  expect(browser.store.keys.size).toBe(0);
  await expect(client.operate("encrypt", { key: edk, context, data })).rejects.toMatchObject({
    code: "key-missing",
  });
  const before = browser.unwraps;
  const { message } = await client.operate("encrypt", { key, context, data });
  expect(await client.operate("decrypt", { key, context, message })).toEqual({ data });
  expect(browser.unwraps - before).toBe(2);
  expect(await client.has(edk)).toBe(false);
  expect(browser.store.keys.size).toBe(0);
  // The message names the EDK as any other: loaded again, the key opens it, and what is streamed passes the same way.
  const sealed = await collect(client.seal({ edk: key, context }, utf8("streamed")));
  expect(await client.inspect(sealed)).toEqual({ edk, context });
  expect(await collect(client.open({ context, key }, sealed))).toEqual(utf8("streamed"));
  await expect(client.operate("decrypt", { context, message })).rejects.toMatchObject({
    code: "key-missing",
  });
  // Nothing of the key, wrapped or not, can be read in it, and no two are alike.
  expect(Buffer.from(key.split(".")[3]!, "base64url").toString()).not.toContain(wrappedKey.slice(0, 24));
});

it("M10 says in clear which key it is, for whom, for what and until when", async () => {
  const policy: KeyPolicy = { operations: ["encrypt"], expires: START / 1000 + 900 };
  const { key } = await entrusted({ receipt: { policy } });
  expect(headerOf(key)).toMatchObject({
    ...{ alg: "dir", enc: "A256GCM", typ: "coffer-local-key+jwe", kid: "k-1.1" },
    policy: { operations: ["encrypt"], principals: [DN], expires: START / 1000 + 900 },
  });
});

it("M10 M12 does with a key that is brought what the policy in it allows, until that ends", async () => {
  const { client, key } = await entrusted({ receipt: { policy: { operations: ["encrypt"] } } });
  const { message } = await client.operate("encrypt", { key, context, data });
  await expect(client.operate("decrypt", { key, context, message })).rejects.toMatchObject({
    code: "forbidden",
  });
  await expect(client.operate("mac", { key, data })).rejects.toMatchObject({ code: "forbidden" });
  const elsewhere = { ...context, account: "a-2" };
  await expect(client.operate("encrypt", { key, context: elsewhere, data })).rejects.toMatchObject({
    code: "context-mismatch",
  });
  // The receipt's hour.
  browser.pass(3600_000);
  await expect(client.operate("encrypt", { key, context, data })).rejects.toMatchObject({
    code: "forbidden",
  });
});

it("M10 M20 refuses a key that was altered in any part, and one with a wider policy", async () => {
  const { client, key } = await entrusted({ receipt: { policy: { operations: ["encrypt"] } } });
  const parts = key.split(".");
  const change = (at: number, text: string) => parts.map((part, n) => (n === at ? text : part)).join(".");
  const flip = (text: string) => `${text[0] === "A" ? "B" : "A"}${text.slice(1)}`;
  const wider = { ...headerOf(key), policy: { operations: ["encrypt", "decrypt"] } };
  const altered = [
    ...[2, 3, 4].map((at) => change(at, flip(parts[at]!))),
    change(0, jwsPart(wider)),
    change(0, jwsPart({ ...headerOf(key), kid: "k-2.1" })),
  ];
  for (const one of altered)
    await expect(client.operate("encrypt", { key: one, context, data })).rejects.toMatchObject({
      code: "key-refused",
    });
});

it("M10 M13 M20 refuses a key of another instance, even of the same custodian", async () => {
  const first = await entrusted();
  const second = await entrusted();
  await expect(second.client.operate("encrypt", { key: first.key, context, data })).rejects.toMatchObject({
    code: "key-refused",
  });
  await second.client.operate("encrypt", { key: second.key, context, data });
});

it("M10 opens with the key that the message names, and with no other that is brought", async () => {
  const { client, instance, key } = await entrusted();
  const other = await authority.release(instance.wrappingCertificate, {
    edk: { keyId: "k-2" },
    receipt: { keyId: "k-2" },
  });
  await client.load(other);
  const [second] = await client.entrust([other.edk]);
  const { message } = await client.operate("encrypt", { key, context, data });
  await expect(client.operate("decrypt", { key: second!, context, message })).rejects.toMatchObject({
    code: "decrypt-failed",
  });
});

it("M10 makes its local master key itself, and nobody can export it; without one it entrusts nothing", async () => {
  const { client, instance } = await browser.enrolledClient();
  const [record] = [...browser.store.instances.values()];
  const { localKey } = record!;
  expect(localKey).toMatchObject({
    extractable: false,
    type: "secret",
    algorithm: { name: "AES-GCM", length: 256 },
  });
  await expect(crypto.subtle.exportKey("raw", localKey!)).rejects.toThrow();
  await expect(client.entrust(["e30.e30.AA"])).rejects.toMatchObject({ code: "key-missing" });
  // As an earlier release has stored it.
  delete record!.localKey;
  const release = await authority.release(instance.wrappingCertificate);
  await client.load(release);
  await expect(client.entrust([release.edk])).rejects.toMatchObject({ code: "key-missing" });
  expect(await client.has(release.edk)).toBe(true);
});
