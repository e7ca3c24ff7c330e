import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { type Authority, DN, makeAuthority, ORIGIN } from "./authority.fixture.ts";
import { collect, context, refuse, TestBrowser } from "./browser.fixture.ts";
import { generateInstanceKeys, type HostKeys } from "./keys.ts";
import { Hierarchy } from "./ladder/hierarchy.fixture.ts";
import type { Authorities, Step } from "./ladder/index.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

let authority: Authority;
let browser: TestBrowser;
let hierarchy: Hierarchy;
let steps: Step[];
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
  steps = [];
});

/** KMS and IAM know the instance once it has its certificate. */
const authorities = {
  masterKey: (...of) => hierarchy.authorities.masterKey(...of),
  releasedAccountKey: (account, challenge, id) =>
    hierarchy.authorities.releasedAccountKey(account, challenge, id),
  keyIdentifier: (account, key) => hierarchy.authorities.keyIdentifier(account, key),
  accountKey: (account, id) => hierarchy.authorities.accountKey(account, id),
  keepAccountKey: (account, made) => hierarchy.authorities.keepAccountKey(account, made),
  dataKey: (account, key) => hierarchy.authorities.dataKey(account, key),
  renewDataKey: (account, made) => hierarchy.authorities.renewDataKey(account, made),
  dataKeys: (account) => hierarchy.authorities.dataKeys(account),
} satisfies Authorities;

function registration() {
  return browser.registration(
    async ({ wrappingCertificate }) => {
      const certificate = decodeBase64url(wrappingCertificate);
      const { change } = hierarchy ?? { change: {} };
      hierarchy = await new Hierarchy(authority, certificate, () => browser.now).account("a-1");
      hierarchy.change = change;
      return {};
    },
    { level: "master" },
  );
}

function start(appKey?: () => Promise<HostKeys>) {
  return browser.start(registration(), ORIGIN, {
    ...(appKey && { appKey }),
    authorities: () => authorities,
    watch: (step) => steps.push(step),
  });
}

async function enrolled(appKey?: () => Promise<HostKeys>) {
  const started = start(appKey);
  await started.client.hello(DN);
  const instance = await started.client.enrol({ method: "grant", grant: "grant" });
  // Its custodian names it to the IAM: until then it would get no token, and it asks for none.
  const asked = told();
  await started.client.hello(DN);
  return { ...started, instance, asked };
}

const told = () => steps.map(({ step, what }) => `${step} ${what}`);

it("A1 seals for an account with keys that it asks for itself, in this order, and deletes them after a set time", async () => {
  const { client, instance, asked } = await enrolled();
  expect(instance.level).toBe("master");
  expect(asked).toEqual(["read app-specific key"]);
  expect(told()).toEqual(["read app-specific key", "ask master key", "get master key"]);
  steps = [];
  const message = await collect(client.seal({ context }, utf8("hello")));
  expect(told()).toEqual([
    "receive data",
    ...["ask key identifier", "get key identifier"],
    ...["ask data key", "ask account key"],
    ...[expect.stringMatching(/^get /), expect.stringMatching(/^get /)],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    "encrypt data",
  ]);
  steps = [];
  browser.pass(60_000);
  expect(told().sort()).toEqual(["drop account key", "drop data key", "drop master key"]);
  steps = [];
  expect(await collect(client.open({ context }, message))).toEqual(utf8("hello"));
  expect(told()).toEqual([
    "receive document",
    ...["ask key identifier", "get key identifier"],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    "decrypt document",
  ]);
});

it("W4 knows its KMS before it does anything, or does nothing", async () => {
  const { client } = await enrolled();
  hierarchy.change = { receiptBy: authority.edkSigner };
  const other = start();
  await expect(other.client.hello(DN)).rejects.toMatchObject({ code: "key-refused" });
  await expect(other.client.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
    code: "hello-required",
  });
  hierarchy.change = {};
  await collect(client.seal({ context }, utf8("hello")));
});

it("begins without a network, and asks when the first key is wanted", async () => {
  const { client } = await enrolled();
  const message = await collect(client.seal({ context }, utf8("hello")));
  browser.session = refuse("offline");
  hierarchy.offline = true;
  const later = start();
  await later.client.hello(DN);
  await expect(collect(later.client.open({ context }, message))).rejects.toMatchObject({ code: "offline" });
  hierarchy.offline = false;
  expect(await collect(later.client.open({ context }, message))).toEqual(utf8("hello"));
});

it("W7 drops what it decrypted at a lock, and all at a sign-out", async () => {
  const { client } = await enrolled();
  await client.prefetch("a-1");
  const message = await collect(client.seal({ context }, utf8("hello")));
  hierarchy.asked.length = 0;
  await client.lock();
  expect(await collect(client.open({ context }, message))).toEqual(utf8("hello"));
  expect(hierarchy.asked).toEqual(["key identifier of a-1 for k-a-1.1"]);
  steps = [];
  await client.forget();
  expect(told().sort()).toEqual(["drop account key", "drop data key", "drop master key"]);
  await expect(collect(client.open({ context }, message))).rejects.toMatchObject({ code: "not-enrolled" });
});

it("takes no context but the account's own, and no header that names no key", async () => {
  const { client } = await enrolled();
  for (const change of [{ tenant: "other" }, { purpose: "else" }]) {
    const sealing = collect(client.seal({ context: { ...context, ...change } }, utf8("x")));
    await expect(sealing).rejects.toMatchObject({ code: "context-mismatch" });
  }
  const strangers = collect(client.seal({ context: { ...context, account: "a-2" } }, utf8("x")));
  await expect(strangers).rejects.toMatchObject({ code: "not-found" });
  const message = await collect(client.seal({ context }, utf8("hello")));
  // The header names another key of the account: what it gives does not open the document.
  await hierarchy.renewDataKey("a-1");
  const text = Buffer.from(message).toString("latin1");
  const other = new Uint8Array(Buffer.from(text.replace("k-a-1.1", "k-a-1.2"), "latin1"));
  await expect(collect(client.open({ context }, other))).rejects.toMatchObject({ code: "decrypt-failed" });
});

it("W15 works with a device that has the app-specific key, and the identity's, and gives neither", async () => {
  const { identityKey, identitySpki, wrappingKey, wrappingSpki } = await generateInstanceKeys(crypto.subtle);
  const { subtle } = crypto;
  let [signed, unwrapped] = [0, 0];
  const device = {
    async sign(bytes: Uint8Array<ArrayBuffer>) {
      signed++;
      const by = identityKey as CryptoKey;
      return new Uint8Array(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, by, bytes));
    },
    unwrapKey(wrapped: Uint8Array<ArrayBuffer>, as: { name: string; length?: number }, usage: KeyUsage) {
      unwrapped++;
      return subtle.unwrapKey("raw", wrapped, wrappingKey as CryptoKey, "RSA-OAEP", as, false, [usage]);
    },
  };
  const { client } = await enrolled(async () => ({
    ...{ identityKey: device, identitySpki, wrappingKey: device, wrappingSpki },
  }));
  const message = await collect(client.seal({ context }, utf8("hello")));
  expect(await collect(client.open({ context }, message))).toEqual(utf8("hello"));
  // Request and proof of possession at the enrolment; Enc(master).
  expect([signed, unwrapped]).toEqual([2, 1]);
});

it("W10 makes the next version of the account's data key itself; the one before still opens", async () => {
  const { client } = await enrolled();
  const before = await collect(client.seal({ context }, utf8("before")));
  expect(await client.renew("a-1")).toEqual({ keyId: "k-a-1", keyVersion: 2 });
  const after = await collect(client.seal({ context }, utf8("after")));
  const key = (message: Uint8Array) => /k-a-1\.\d/.exec(Buffer.from(message).toString("latin1"))?.[0];
  expect([key(before), key(after)]).toEqual(["k-a-1.1", "k-a-1.2"]);
  await client.lock();
  expect(await collect(client.open({ context }, before))).toEqual(utf8("before"));
  expect(await collect(client.open({ context }, after))).toEqual(utf8("after"));
  hierarchy.change = { edk: { wrappedKey: "A".repeat(54) } };
  await expect(client.renew("a-1")).rejects.toMatchObject({ code: "key-refused" });
});

it("has no key to seal with at level data, where none is named", async () => {
  const { client, instance } = await browser.enrolledClient();
  expect(instance.level).toBeUndefined();
  await expect(collect(client.seal({ context }, utf8("x")))).rejects.toMatchObject({ code: "key-missing" });
  await client.prefetch("a-1");
  await client.lock();
});
