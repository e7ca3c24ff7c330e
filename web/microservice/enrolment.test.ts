import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { TRUST_TYPE } from "#protocol/keys/index.ts";
import {
  type Authority,
  type Change,
  certify,
  certifyRoot,
  DN,
  digitalSignature,
  jws,
  keyEncipherment,
  leafExtensions,
  makeAuthority,
  ORIGIN,
  START,
  signer,
  spkiOf,
} from "./authority.fixture.ts";
import { TestBrowser } from "./browser.fixture.ts";
import type { EnrolmentAnswer } from "./registration.ts";

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

describe("enrolment", () => {
  it("makes keys, redeems the grant, and is there again after a reload", async () => {
    const first = browser.start();
    expect(await first.client.hello(DN)).toEqual({
      ...{ version: 1, measurement: "sha384-test", instance: null },
      environment: "software",
    });
    await expect(first.client.enrol({ method: "grant", grant: "stale" })).rejects.toMatchObject({
      code: "invalid-grant",
    });
    const instance = await first.client.enrol({ method: "grant", grant: "grant" });
    expect(instance).toMatchObject({
      id: "i-1",
      custodian: DN,
      method: "grant",
      notAfter: "2026-11-23T00:00:00.000Z",
    });
    const record = browser.store.instances.get(`${ORIGIN} ${DN}`)!;
    for (const [key, usage] of [
      [record.identityKey, "sign"],
      [record.wrappingKey, "unwrapKey"],
    ] as const) {
      expect(key).toMatchObject({ type: "private", extractable: false, usages: [usage] });
    }
    expect((await browser.start().client.hello(DN)).instance).toEqual(instance);
  });

  it("tells no instance once its certificates have ended, and uses no key any more", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    browser.now = START + 24 * 3600_000;
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    expect((await client.hello(DN)).instance).toBeNull();
    expect((await browser.start().client.hello(DN)).instance).toBeNull();
  });

  it.each<[string, Change, string]>([
    ["another custodian", () => ({ custodian: "CN=Other" }), "foreign-custodian"],
    ["another origin", () => ({ origin: "https://evil.example" }), "foreign-custodian"],
    [
      "a certificate for another key",
      ({ identityCertificate }) => ({ wrappingCertificate: identityCertificate }),
      "enrolment-refused",
    ],
    ["a chain without the root", () => ({ chain: authority.chain.slice(0, 1) }), "enrolment-refused"],
    [
      "a trust list that the root did not sign",
      async () => ({ trust: await jws(authority.ca, TRUST_TYPE, {}) }),
      "enrolment-refused",
    ],
    [
      "an identity certificate that names another custodian",
      async ({ identityCertificate }) => ({
        identityCertificate: encodeBase64url(
          await authority.leaf(spkiOf(identityCertificate), digitalSignature, {
            custodian: DN.replace("u-1", "u-2"),
          }),
        ),
      }),
      "enrolment-refused",
    ],
    [
      "a wrapping certificate for signatures",
      async ({ wrappingCertificate }) => ({
        wrappingCertificate: encodeBase64url(
          await authority.leaf(spkiOf(wrappingCertificate), digitalSignature),
        ),
      }),
      "enrolment-refused",
    ],
    [
      "certificates of two tiers",
      async ({ wrappingCertificate }) => ({
        wrappingCertificate: encodeBase64url(
          await authority.leaf(spkiOf(wrappingCertificate), keyEncipherment, { tier: "hardware" }),
        ),
      }),
      "enrolment-refused",
    ],
    ["a method that its certificates do not name", () => ({ method: "attestation" }), "enrolment-refused"],
    [
      "an expired authority",
      async () => ({
        chain: [encodeBase64url(await authority.certifyCa({ notAfter: START - 1 })), authority.chain[1]!],
      }),
      "enrolment-refused",
    ],
    [
      "certificates that an instance signed with its own key",
      async ({ identityCertificate, wrappingCertificate }) => {
        const instance = await signer();
        const own = await authority.leaf(instance.keys.publicKey, digitalSignature);
        const forge = async (certificate: string, usage: number) =>
          encodeBase64url(
            await certify({
              subject: "CN=i-2",
              key: spkiOf(certificate),
              issuer: "CN=i-1",
              by: instance,
              extensions: leafExtensions({ usage }),
            }),
          );
        return {
          identityCertificate: await forge(identityCertificate, digitalSignature),
          wrappingCertificate: await forge(wrappingCertificate, keyEncipherment),
          chain: [encodeBase64url(own), ...authority.chain],
        };
      },
      "enrolment-refused",
    ],
    ["bytes that are no certificate", () => ({ identityCertificate: "AAAA" }), "enrolment-refused"],
  ])("refuses %s", async (_, change, code) => {
    const { client } = browser.start(browser.registration(change));
    await client.hello(DN);
    await expect(client.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({ code });
    expect(browser.store.instances.size).toBe(0);
  });

  it("refuses certificates of another root", async () => {
    const other = await signer();
    const foreign = async (enrolled: EnrolmentAnswer): Promise<Partial<EnrolmentAnswer>> => ({
      chain: [authority.chain[0]!, encodeBase64url(await certifyRoot(other))],
      trust: enrolled.trust,
    });
    const { client } = browser.start(browser.registration(foreign));
    await client.hello(DN);
    await expect(client.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "enrolment-refused",
    });
  });

  it("makes new keys for every enrolment and forgets what was wrapped to the old ones", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    const again = await client.enrol({ method: "grant", grant: "grant" });
    expect(again.wrappingCertificate).not.toBe(instance.wrappingCertificate);
    expect(await client.has(key.edk)).toBe(false);
  });
});

describe("the trust list", () => {
  it("M20 never goes back: not at an enrolment, not after a sign-out, not from the store", async () => {
    const { client } = await browser.enrolledClient();
    const older = browser.start(
      browser.registration(async () => ({ trust: await authority.trustList(1) })),
    ).client;
    await older.hello(DN);
    await expect(older.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "enrolment-refused",
    });
    const newer = browser.start(
      browser.registration(async () => ({ trust: await authority.trustList(3) })),
    ).client;
    await newer.hello(DN);
    const kept = browser.store.instances.get(`${ORIGIN} ${DN}`)!;
    await newer.enrol({ method: "grant", grant: "grant" });
    expect((await browser.start().client.hello(DN)).instance).not.toBeNull();
    // As if another tab had put back what it had read before.
    browser.store.instances.set(`${ORIGIN} ${DN}`, kept);
    expect((await browser.start().client.hello(DN)).instance).toBeNull();
    await client.forget();
    expect(browser.store.instances.size).toBe(0);
    const again = browser.start().client;
    await again.hello(DN);
    await expect(again.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "enrolment-refused",
    });
  });
});
