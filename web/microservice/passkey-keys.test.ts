import { createHmac, randomBytes } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { attestationAttribute, parseCertificate } from "#protocol/pki/index.ts";
import type { PortClient } from "#protocol/port/index.ts";
import {
  type Authority,
  DN,
  digitalSignature,
  keyAgreement,
  keyEncipherment,
  makeAuthority,
  ORIGIN,
} from "./authority.fixture.ts";
import { collect, context, lives, TestBrowser } from "./browser.fixture.ts";
import type { Attested, Attester } from "./credentials.ts";
import { captureCrypto } from "./crypto.ts";
import { openKeys, passkeyKey } from "./passkey-keys.ts";
import type { Registration } from "./registration.ts";
import { isLocked, type LockedRecord } from "./store.ts";

vi.setConfig({ testTimeout: 30_000 });

type Bytes = Uint8Array<ArrayBuffer>;
const NAME = `${ORIGIN} ${DN}`;

/** An authenticator with one passkey, and the vault's document that asks it. */
class Passkey implements Attester {
  readonly credential: Bytes = new Uint8Array(randomBytes(16));
  readonly #secret = randomBytes(32);
  /** What was handed to the microservice, by reference. */
  readonly outputs: Bytes[] = [];
  /** The same in hexadecimal. */
  readonly given: string[] = [];
  asked: Attested | undefined;
  hasPrf = true;
  answer: (of: { credential: Bytes; salt: Bytes }) => Bytes | null | Promise<Bytes | null> = ({ salt }) =>
    this.prf(salt);

  environment = async () => "software" as const;
  unlock = async (of: { credential: Bytes; salt: Bytes }) => {
    expect(of.credential).toEqual(this.credential);
    return this.answer(of);
  };

  async attest(asked: Attested) {
    this.asked = asked;
    const attribute = attestationAttribute({ type: "x/passkey", evidence: new Uint8Array(3) });
    const { salt } = asked;
    if (!salt || !this.hasPrf) return { attribute };
    return { attribute, secret: { credential: this.credential, output: this.prf(salt) } };
  }

  prf(salt: Bytes): Bytes {
    const output = new Uint8Array(createHmac("sha256", this.#secret).update(salt).digest());
    this.outputs.push(output);
    this.given.push(Buffer.from(output).toString("hex"));
    return output;
  }
}

let authority: Authority;
let browser: TestBrowser;
let passkey: Passkey;
let registration: Registration;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
  passkey = new Passkey();
  registration = browser.registration();
  // Evidence is appraised elsewhere: here whoever shows some is let in.
  const { redeem } = registration;
  registration.redeem = (_, body) => redeem("e-1", { ...body, credential: "grant" });
});

const open = (attester: Attester | undefined = passkey) =>
  browser.start(registration, ORIGIN, { ...(attester && { attester }) });

async function enrolBy(client: PortClient) {
  const { nonce } = await registration.open();
  return client.enrol({
    method: "attestation",
    enrolment: `${"a".repeat(32)}.e`,
    nonce,
    accepts: ["x/passkey"],
  });
}

async function enrolled(attester: Attester = passkey) {
  const { client } = open(attester);
  await client.hello(DN);
  return { client, instance: await enrolBy(client) };
}

function stored(): LockedRecord {
  const record = browser.store.instances.get(NAME);
  expect(record).toBeDefined();
  expect(isLocked(record as LockedRecord), "under a passkey").toBe(true);
  return record as LockedRecord;
}

/** All bytes in a value, in hexadecimal. */
function bytesIn(value: unknown): string[] {
  if (value instanceof ArrayBuffer) return bytesIn(new Uint8Array(value));
  if (value instanceof Uint8Array) return [Buffer.from(value).toString("hex")];
  if (typeof value !== "object" || value === null || "extractable" in value) return [];
  return Object.values(value).flatMap(bytesIn);
}

/** Every key handle in a value. */
function handlesIn(value: unknown): CryptoKey[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  // Whichever engine's it is.
  if ("extractable" in value) return [value as CryptoKey];
  return Object.values(value).flatMap(handlesIn);
}

describe("instance keys under a passkey", () => {
  it("M4 leaves no private key in the store, and after a reload the passkey brings them back", async () => {
    const { client, instance } = await enrolled();
    const load = await authority.release(instance.wrappingCertificate);
    await client.load(load);
    const sealed = await collect(await client.seal({ edk: load.edk, context }, new Blob(["hello"])));
    const handles = handlesIn(stored());
    expect(handles.map(({ type }) => type)).toEqual(["secret", "secret"]);
    expect(handles.map(({ usages }) => usages.join()).sort()).toEqual([
      "encrypt,decrypt",
      "wrapKey,unwrapKey",
    ]);
    for (const { extractable } of handles) expect(extractable).toBe(false);
    // Nor what the passkey gave.
    expect(passkey.given).toHaveLength(1);
    const at = bytesIn(browser.store.instances.get(NAME)).filter((hex) => hex.includes(passkey.given[0]!));
    expect(at).toEqual([]);

    const { client: again } = open();
    expect(await again.hello(DN)).toMatchObject({ instance: null, locked: true });
    expect(await lives(again)).toBe("not-enrolled");
    expect(await again.unlock()).toBe(true);
    const greeted = await again.hello(DN);
    expect(greeted.instance).toEqual(instance);
    expect(greeted).not.toHaveProperty("locked");
    const opened = await collect(await again.open({ context }, new Blob([sealed])));
    expect(new TextDecoder().decode(opened)).toBe("hello");
    // Once at the enrolment, once after the reload; nothing of it is left.
    expect(passkey.outputs).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });

  it("M4 asks the passkey with a salt of its own for each instance", async () => {
    await enrolled();
    const first = stored().sealed.salt;
    await enrolled();
    expect(first).toHaveLength(32);
    expect(stored().sealed.salt).not.toEqual(first);
  });

  const flip = (bytes: Bytes, at: number) => bytes.with(at, (bytes.at(at) ?? 0) ^ 1);
  type Answer = Passkey["answer"];
  const answers = (answer: Answer) => () => {
    passkey.answer = answer;
  };
  const altered = (place: number, at: number) => () => {
    const { keys } = stored().sealed;
    keys.splice(place, 1, flip(keys[place] ?? new Uint8Array(1), at));
  };
  it.each<[string, () => void]>([
    ["another passkey's secret", answers(({ salt }) => new Passkey().prf(salt))],
    ["the secret of another salt", answers(({ salt }) => passkey.prf(flip(salt, 0)))],
    ["a secret that is too short", answers(({ salt }) => passkey.prf(salt).subarray(0, 31))],
    ["an altered identity key", altered(0, 0)],
    ["an altered wrapping key", altered(1, -1)],
    ["keys that have changed places", () => void stored().sealed.keys.reverse()],
    ["a key that is missing", () => void stored().sealed.keys.splice(1)],
    ["one too many", () => void stored().sealed.keys.push(new Uint8Array(40))],
    ["a person who goes on without", answers(() => null)],
    ["no authenticator", answers(() => Promise.reject(new Error("gone")))],
  ])("M4 M20 stays locked by %s, and enrols again", async (_, change) => {
    await enrolled();
    change();
    const { client } = open();
    await client.hello(DN);
    expect(await client.unlock()).toBe(false);
    expect(await lives(client)).toBe("not-enrolled");
    for (const output of passkey.outputs) expect(output.subarray(0, 31).some(Boolean)).toBe(false);
    const instance = await client.enrol({ method: "grant", grant: "grant" });
    expect((await open().client.hello(DN)).instance).toEqual(instance);
  });

  it("M13 opens for the custodian alone that it was kept for", async () => {
    await enrolled();
    const other = DN.replace("u-1", "u-2");
    browser.session = () => ({ tenant: "acme", user: "u-2", session: "s-1" });
    browser.store.instances.set(`${ORIGIN} ${other}`, { ...stored(), custodian: other });
    const { client } = open();
    expect(await client.hello(other)).toMatchObject({ locked: true });
    expect(await client.unlock()).toBe(false);
    // Its certificates say so too: the keys by themselves do not open either.
    const { sealed } = stored();
    const { subtle } = captureCrypto(crypto);
    const opened = async (custodian: string) => {
      const key = await passkeyKey(subtle, passkey.prf(sealed.salt), "decrypt");
      return openKeys(subtle, { origin: ORIGIN, custodian }, sealed, key);
    };
    await expect(opened(DN)).resolves.toHaveProperty("wrappingKey");
    await expect(opened(other)).rejects.toThrow();
  });

  it("keeps handles as before where the passkey gives no secret, or the page cannot show the vault's frame", async () => {
    passkey.hasPrf = false;
    const { instance } = await enrolled();
    expect((await open().client.hello(DN)).instance).toEqual(instance);
    const hidden = { environment: passkey.environment, attest: (of: Attested) => passkey.attest(of) };
    passkey.hasPrf = true;
    await enrolled(hidden);
    expect(passkey.asked?.salt).toBeUndefined();
    expect(isLocked(browser.store.instances.get(NAME)!)).toBe(false);
  });

  it("enrols again in a page that cannot ask for the passkey, or when the certificates have ended", async () => {
    await enrolled();
    const hidden = { environment: passkey.environment, attest: (of: Attested) => passkey.attest(of) };
    expect(await open(hidden).client.hello(DN)).not.toHaveProperty("locked");
    browser.now += 24 * 3600_000;
    expect(await open().client.hello(DN)).not.toHaveProperty("locked");
  });

  it("M4 stays under the passkey when it is renewed", async () => {
    const { instance } = await enrolled();
    const spki = (certificate: string) => parseCertificate(decodeBase64url(certificate)).spki;
    const { chain, trust } = await answerOf();
    registration.renew = async ({ identityCertificate, wrappingCertificate, hybrid }) => {
      const leaf = async (certificate: string, usage: number) =>
        encodeBase64url(await authority.leaf(new Uint8Array(spki(certificate)), usage));
      return {
        ...{ instance: "i-2", method: "grant", chain, trust, custodian: DN, origin: ORIGIN, notAfter: 0 },
        identityCertificate: await leaf(identityCertificate, digitalSignature),
        wrappingCertificate: await leaf(wrappingCertificate, keyEncipherment),
        ...(hybrid && {
          hybrid: {
            agreementCertificate: await leaf(hybrid.agreementCertificate, keyAgreement),
            kemCertificate: await leaf(hybrid.kemCertificate, keyEncipherment),
          },
        }),
      };
    };
    browser.pass(23 * 3600_000);
    await expect.poll(() => browser.store.instances.get(NAME)?.id).toBe("i-2");
    expect(handlesIn(stored()).map(({ type }) => type)).toEqual(["secret", "secret"]);
    const { client } = open();
    await client.hello(DN);
    expect(await client.unlock()).toBe(true);
    expect((await client.hello(DN)).instance?.id).toBe("i-2");
    expect(instance.id).toBe("i-1");
  });

  it("M4 asks once where two want it unlocked, and begins nothing beside what was enrolled meanwhile", async () => {
    await enrolled();
    const { client } = open();
    expect(await client.hello(DN)).toMatchObject({ locked: true });
    const given = Promise.withResolvers<void>();
    let asked = 0;
    passkey.answer = async ({ salt }) => {
      asked++;
      await given.promise;
      return passkey.prf(salt);
    };
    const both = [client.unlock(), client.unlock()];
    await vi.waitFor(() => expect(asked).toBe(1));
    const fresh = await enrolBy(client);
    expect((await client.hello(DN)).instance).toEqual(fresh);
    given.resolve();
    await Promise.all(both);
    expect(asked).toBe(1);
    const greeted = await client.hello(DN);
    expect(greeted.instance).toEqual(fresh);
    expect(greeted).not.toHaveProperty("locked");
  });

  it("M4 is unlocked after it was asked when nothing was locked yet", async () => {
    const { client } = open();
    await client.hello(DN);
    expect(await client.unlock()).toBe(false);
    const { instance } = await enrolled();
    expect(await client.hello(DN)).toMatchObject({ locked: true });
    expect(await client.unlock()).toBe(true);
    expect((await client.hello(DN)).instance).toEqual(instance);
  });

  it("M4 asks again for what was enrolled since, while the person is still asked for what was ended", async () => {
    await enrolled();
    const { client } = open();
    await client.hello(DN);
    const before = Promise.withResolvers<Bytes>();
    passkey.answer = () => before.promise;
    const ended = expect(client.unlock()).rejects.toMatchObject({ code: "no-session" });
    await client.forget();
    const { instance } = await enrolled();
    passkey.answer = ({ salt }) => passkey.prf(salt);
    expect(await client.hello(DN)).toMatchObject({ locked: true });
    expect(await client.unlock()).toBe(true);
    before.resolve(passkey.prf(stored().sealed.salt));
    await ended;
    expect((await client.hello(DN)).instance).toEqual(instance);
    expect(await lives(client)).not.toBe("not-enrolled");
  });

  it("does not begin what was ended while the person was asked", async () => {
    await enrolled();
    const { promise, resolve: shown } = Promise.withResolvers<Bytes>();
    passkey.answer = () => promise;
    const { client } = open();
    await client.hello(DN);
    const { salt } = stored().sealed;
    const unlocking = client.unlock();
    const refused = expect(unlocking).rejects.toMatchObject({ code: "no-session" });
    await client.forget();
    shown(passkey.prf(salt));
    await refused;
    expect(await lives(client)).toBe("not-enrolled");
  });
});

/** What the authority has answered last. */
async function answerOf() {
  const { chain, trust } = stored();
  return { chain: chain.map(encodeBase64url), trust };
}
