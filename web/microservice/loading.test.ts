import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import { excerptOf, parseHeader } from "#protocol/envelope/index.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import type { Receipt } from "#protocol/keys/index.ts";
import { otherForm } from "#protocol/keys/low-s.fixture.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { type Authority, DN, jws, makeAuthority, START } from "./authority.fixture.ts";
import { collect, context, refuse, TestBrowser } from "./browser.fixture.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

let authority: Authority;
let browser: TestBrowser;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
});

describe("loading by rewrap", () => {
  it("seals and opens under a loaded key", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    expect(await client.has(key.edk)).toBe(false);
    expect(await client.load(key)).toEqual({ keyId: "k-1", keyVersion: 1 });
    expect(await client.has(key.edk)).toBe(true);
    const plaintext = crypto.getRandomValues(new Uint8Array(60_000));
    const message = await collect(client.seal({ edk: key.edk, context }, plaintext));
    expect(await client.inspect(message)).toEqual({ edk: key.edk, context });
    expect(await collect(client.open({ context }, message))).toEqual(plaintext);
    expect(await collect(client.open({ context }, new Blob([message])))).toEqual(plaintext);
    await expect(
      collect(client.open({ context: { ...context, document: "d-2" } }, message)),
    ).rejects.toMatchObject({ code: "decrypt-failed" });
  });

  it("opens a part of what is sealed, by the header and the frames that hold it", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    const plaintext = new Uint8Array(1_000_000).map((_, i) => (i * 151 + (i >> 9)) & 0xff);
    const message = await collect(client.seal({ edk: key.edk, context }, plaintext));
    const header = parseHeader(message)!;
    for (const [offset, length, most] of [
      [300_000, 100_000, 300_000],
      [900_000, 200_000, 300_000],
      [0, 1_000_000, 1_001_000],
      [1_000_000, 10, 300_000],
    ] as const) {
      const excerpt = { offset, length, size: message.length };
      const cut = excerptOf(header, excerpt);
      expect(cut.length).toBeLessThan(most);
      const source = concat(
        message.subarray(0, header.length),
        message.subarray(cut.offset, cut.offset + cut.length),
      );
      const part = plaintext.slice(offset, offset + length);
      expect(Buffer.compare(await collect(client.open({ context, excerpt }, source)), part)).toBe(0);
      expect(Buffer.compare(await collect(client.open({ context, excerpt }, new Blob([source]))), part)).toBe(
        0,
      );
    }
    const excerpt = { offset: 300_000, length: 100_000, size: message.length };
    const { offset, length } = excerptOf(header, { ...excerpt, offset: 0 });
    const elsewhere = concat(message.subarray(0, header.length), message.subarray(offset, offset + length));
    await expect(collect(client.open({ context, excerpt }, elsewhere))).rejects.toMatchObject({
      code: "decrypt-failed",
    });
  });

  it("refuses before it unwraps: no receipt, a receipt for another key, EDK, recipient, time or signer", async () => {
    const { client, instance } = await browser.enrolledClient();
    const certificate = instance.wrappingCertificate;
    const [good, other] = await Promise.all([
      authority.release(certificate),
      authority.release(certificate, { edk: { keyId: "k-2" } }),
    ]);
    const loads = [
      { ...good, wrappedKey: other.wrappedKey },
      { ...good, edk: other.edk },
      { ...good, receipt: good.edk },
      { ...good, receipt: `${good.receipt.slice(0, -8)}AAAAAAAA` },
      await authority.release(certificate, { receipt: { recipient: await digest("other") } }),
      await authority.release(certificate, { receipt: { exp: START / 1000 - 1 } }),
      await authority.release(certificate, { receipt: { keyVersion: 2 } }),
      await authority.release(certificate, { receipt: { account: "a-2" } }),
      await authority.release(certificate, { receiptBy: authority.edkSigner }),
      await authority.release(certificate, { receiptBy: authority.root }),
      await authority.release(certificate, { edkBy: authority.receiptSigner }),
    ];
    for (const load of loads) {
      await expect(client.load(load)).rejects.toMatchObject({ code: "key-refused" });
      expect(browser.unwraps).toBe(0);
    }
    expect(browser.store.keys.size).toBe(0);
    await client.load(good);
    expect(browser.unwraps).toBe(1);
  });

  it("keeps to the policy of EDK and receipt, and to the key's own tenant and account", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate, {
      receipt: { policy: { operations: ["decrypt"] } },
    });
    await client.load(key);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "forbidden",
    });
    const free = await authority.release(instance.wrappingCertificate);
    await client.load(free);
    for (const change of [{ tenant: "other" }, { account: "a-2" }, { purpose: "else" }]) {
      const sealing = collect(
        client.seal({ edk: free.edk, context: { ...context, ...change } }, new Uint8Array(1)),
      );
      await expect(sealing).rejects.toMatchObject({ code: "context-mismatch" });
    }
  });

  it("B3, M12 does for a name what the key's own policy lists, whatever the receipt allows; nothing else, and nothing for another", async () => {
    const { client, instance } = await browser.enrolledClient();
    const cases: [KeyPolicy, string | null][] = [
      [{ operations: ["encrypt"], principals: [DN] }, null],
      [{ operations: ["encrypt"], principals: [DN.replace("u-1", "u-2")] }, "forbidden"],
      [{ operations: ["encrypt"], principals: [] }, "forbidden"],
      [{ operations: ["encrypt"], principals: [DN.replace(/^CN=[^,]*/, "CN=*")] }, null],
      [{ operations: ["encrypt"], principals: [DN.replace(/^CN=[^,]*(.*)$/, "CN=*$1,C=XX")] }, "forbidden"],
      [{ operations: ["encrypt"], denied: [DN.replace(/^CN=[^,]*/, "CN=*")] }, "forbidden"],
      [{ operations: ["encrypt"], principals: [DN], denied: [DN] }, "forbidden"],
      [{ operations: ["decrypt"], principals: [DN] }, "forbidden"],
    ];
    for (const [listed, code] of cases) {
      const key = await authority.release(instance.wrappingCertificate, { edk: { policy: listed } });
      await client.load(key);
      const sealing = collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)));
      if (code) await expect(sealing, JSON.stringify(listed)).rejects.toMatchObject({ code });
      else await sealing;
    }
  });

  it("M12 keeps to the tier that its certificates name", async () => {
    const policy = { operations: ["encrypt" as const], tier: "emulated" as const };
    for (const [tier, code] of [
      ["software", "forbidden"],
      ["emulated", null],
      ["hardware", null],
    ] as const) {
      const { client } = browser.start(browser.registration(undefined, { tier }));
      await client.hello(DN);
      const instance = await client.enrol({ method: "grant", grant: "grant" });
      const key = await authority.release(instance.wrappingCertificate, { receipt: { policy } });
      await client.load(key);
      const sealing = collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)));
      if (code) await expect(sealing).rejects.toMatchObject({ code });
      else await sealing;
    }
  });

  it("deletes a key a set time after its last use; a later use verifies and unwraps the stored copy again", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    browser.pass(40_000);
    await client.has(key.edk);
    browser.pass(40_000);
    await client.has(key.edk);
    expect(browser.unwraps).toBe(1);
    browser.pass(60_000);
    expect(await client.has(key.edk)).toBe(true);
    expect(browser.unwraps).toBe(2);
    browser.pass(60_000);
    browser.store.keys.clear();
    expect(await client.has(key.edk)).toBe(false);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "key-missing",
    });
  });

  it("knows an EDK in both forms of its signature, and what earlier code kept by the other one", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    const high = otherForm(key.edk);
    // Loaded by one form, there by both; sealed with either, it is the same key.
    await client.load({ ...key, edk: high });
    expect(await client.has(key.edk)).toBe(true);
    expect(await client.has(high)).toBe(true);
    expect([browser.unwraps, browser.store.keys.size]).toEqual([1, 1]);
    const message = await collect(client.seal({ edk: high, context }, utf8("hello")));
    expect((await client.inspect(message)).edk).toBe(key.edk);

    // A receipt and a record of before the upgrade.
    browser.store.keys.clear();
    browser.pass(60_000);
    const edkDigest = await digest(high);
    const receipt = await jws(authority.receiptSigner, SIGN_TYPE.receipt, {
      ...(JSON.parse(Buffer.from(key.receipt.split(".")[1]!, "base64url").toString()) as Receipt),
      edkDigest,
    });
    const wrappedKey = decodeBase64url(key.wrappedKey);
    const kept = { instance: instance.id, edkDigest, edk: high, wrappedKey, receipt, loaded: browser.now };
    await browser.store.putLoadedKeys([{ version: 2, ...kept }]);
    expect(await client.has(key.edk)).toBe(true);
    expect(await collect(client.open({ context }, message))).toEqual(utf8("hello"));
    expect(browser.unwraps).toBe(2);
  });

  it.each([
    ["receipt", { receipt: { exp: START / 1000 + 90 } }],
    ["EDK", { edk: { expires: START / 1000 + 90 } }],
  ])("ends a loaded key with its %s, though it is in use all the time", async (_, changes) => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate, changes);
    await client.load(key);
    for (let i = 0; i < 2; i++) {
      browser.pass(44_000);
      await collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)));
    }
    browser.pass(2_000);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "key-missing",
    });
    expect(browser.store.keys.size).toBe(0);
    expect(browser.unwraps).toBe(1);
  });

  it("opens after a reload from stored wrapped keys, until the receipt ends", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    const message = await collect(client.seal({ edk: key.edk, context }, utf8("hello")));
    browser.session = refuse("offline");
    const reloaded = browser.start({
      ...browser.registration(),
      open: () => Promise.reject(new Error("offline")),
      redeem: () => Promise.reject(new Error("offline")),
    });
    await reloaded.client.hello(DN);
    expect(await collect(reloaded.client.open({ context }, message))).toEqual(utf8("hello"));
    browser.pass(3600_000);
    expect(await reloaded.client.has(key.edk)).toBe(false);
    expect(browser.store.keys.size).toBe(0);
  });

  it("does nothing with keys before it is enrolled", async () => {
    const { client } = browser.start();
    await client.hello(DN);
    const edk = await jws(authority.edkSigner, SIGN_TYPE.edk, {});
    await expect(client.has(edk)).rejects.toMatchObject({ code: "not-enrolled" });
    await expect(client.load({ way: "rewrap", edk, receipt: edk, wrappedKey: "AAAA" })).rejects.toMatchObject(
      {
        code: "not-enrolled",
      },
    );
    await expect(collect(client.seal({ edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "not-enrolled",
    });
  });
});
