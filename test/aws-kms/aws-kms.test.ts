/**
 * M19: AWS KMS as back end of data keys, against a stand-in on this machine: signed requests, attested recipients, and a key that an
 * instance's non-extractable wrapping key opens. EMULATED: what answers is not AWS, and the enclave's root is none of AWS's.
 */

import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type AwsKmsAccess,
  AwsRefused,
  awsKmsBackEnd,
  BackEndRefused,
  checkStanding,
} from "#edge/hsm/index.ts";
import { envelopedData } from "#emulator/aws-kms/enveloped-data.ts";
import { type AwsKmsOptions, type EmulatedAwsKms, startAwsKms } from "#emulator/aws-kms/index.ts";
import {
  launchNitroEnclave,
  makeNitroAuthority,
  type NitroAuthority,
  type NitroEnclave,
} from "#emulator/enclave/index.ts";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import { parseEnvelopedData } from "#protocol/pki/index.ts";
import { unwrapEnveloped } from "#web/microservice/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const CODE = utf8("a microservice in an enclave");
const WRAPPING = {
  ...{ name: "RSA-OAEP", hash: "SHA-256", modulusLength: 3072 },
  publicExponent: new Uint8Array([1, 0, 1]),
};
const credentials = { accessKeyId: "AKIDEMULATED", secretAccessKey: "EMULATED secret key" };
const of = { tenant: "acme", account: "a-1" };

let authority: NitroAuthority;
let image: string;
let enclave: NitroEnclave;
let wrapping: CryptoKeyPair;
let spki: Bytes;

beforeAll(async () => {
  authority = await makeNitroAuthority(new Date());
  enclave = await launchNitroEnclave(authority, { code: CODE, clock: Date.now });
  image = encodeHex(new Map(enclave.registers.locked()).get(0) ?? new Uint8Array());
  wrapping = (await crypto.subtle.generateKey(WRAPPING, false, ["wrapKey", "unwrapKey"])) as CryptoKeyPair;
  spki = new Uint8Array(await crypto.subtle.exportKey("spki", wrapping.publicKey));
});

let running: EmulatedAwsKms[] = [];
afterEach(async () => {
  await Promise.all(running.map((one) => one.close()));
  running = [];
});

async function start(
  options: Partial<AwsKmsOptions> = {},
  settings: Partial<AwsKmsAccess> = {},
  fetching: typeof fetch = fetch,
) {
  const keyId = "arn:aws:kms:eu-central-1:000000000000:key/EMULATED";
  const region = "eu-central-1";
  const aws = await startAwsKms({
    ...{ region, credentials, keyId, roots: [authority.root], imageSha384: image },
    ...options,
  });
  running.push(aws);
  const { endpoint } = aws;
  const backEnd = awsKmsBackEnd(
    { tenant: of.tenant, key: keyId, region, endpoint, credentials, ...settings },
    fetching,
  );
  return { aws, backEnd };
}

const attest = (from = enclave, publicKey: Bytes | null = spki) =>
  from.attest(publicKey === null ? {} : { publicKey });

/** The message key that HKDF gives of a data key, as a digest of what it encrypts: the key itself is seen by nobody. */
async function fingerprint(key: CryptoKey): Promise<string> {
  const info = { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(32), info: utf8("fingerprint") };
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  const derived = await crypto.subtle.deriveKey(info, key, hmac, false, ["sign"]);
  return encodeHex(new Uint8Array(await crypto.subtle.sign("HMAC", derived, utf8("fingerprint"))));
}

describe("M19 AWS KMS", () => {
  it("M19 asks for six keys at a time, gives them in their order, and asks for no more after a refusal", async () => {
    let [underWay, most, refuse] = [0, 0, false];
    // Each that is asked for waits for the others, as far as others come.
    const held: (() => void)[] = [];
    const counting: typeof fetch = async (input, init) => {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => {
        held.push(resolve);
        // The last one that came is answered first; where fewer come, there are no more.
        const answer = () =>
          held
            .splice(0)
            .toReversed()
            .map((go) => go());
        if (held.length === 6) answer();
        else setTimeout(answer, 1000);
      });
      try {
        if (refuse) return new Response(JSON.stringify({ __type: "DisabledException" }), { status: 400 });
        return await fetch(input, init);
      } finally {
        underWay--;
      }
    };
    const { backEnd } = await start({}, {}, counting);
    const made = await backEnd.makeDataKeys({ ...of, count: 15 });
    expect(made).toHaveLength(15);
    const attestation = await attest();
    const keys = made.map(({ wrappedKey }) => ({ ...of, wrappedKey }));
    const released = await backEnd.release(keys, { attestation });
    const prints = async (cms: readonly Bytes[]) =>
      Promise.all(
        cms.map(async (one) => fingerprint(await unwrapEnveloped(crypto.subtle, wrapping.privateKey, one))),
      );
    const one = async (at: number) => (await backEnd.release(keys.slice(at, at + 1), { attestation }))[0]!;
    const found = await prints(released);
    expect(new Set(found).size).toBe(15);
    for (const at of [0, 7, 14]) expect(await prints([await one(at)])).toEqual([found[at]]);
    expect(most).toBe(6);
    refuse = true;
    let asked = 0;
    const refusing = await start({}, {}, async (...of) => {
      asked++;
      return counting(...of);
    });
    await expect(refusing.backEnd.makeDataKeys({ ...of, count: 100 })).rejects.toThrow(AwsRefused);
    expect(asked).toBeLessThanOrEqual(6);
  });

  it("M19 makes data keys and releases them to an attested instance, which alone opens them", async () => {
    const { aws, backEnd } = await start();
    expect(await backEnd.standing()).toEqual({ name: "aws-kms", keeps: ["sensitive", "release-policy"] });
    const made = await backEnd.makeDataKeys({ ...of, count: 2 });
    const keys = made.map(({ wrappedKey }) => ({ ...of, wrappedKey }));
    const released = await backEnd.release(keys, { attestation: await attest() });
    const again = await backEnd.release(keys, { attestation: await attest() });
    const prints: string[] = [];
    for (const cms of [...released, ...again]) {
      const key = await unwrapEnveloped(crypto.subtle, wrapping.privateKey, cms);
      expect([key.extractable, key.algorithm.name, key.usages]).toEqual([false, "HKDF", ["deriveKey"]]);
      prints.push(await fingerprint(key));
    }
    // Each is the same key each time, and another than the other.
    expect(prints.slice(0, 2)).toEqual(prints.slice(2));
    expect(new Set(prints).size).toBe(2);
    // In none of what went over the wire is a key in clear.
    expect(aws.messages.filter(({ answer }) => "Plaintext" in answer)).toEqual([]);
    const others = (await crypto.subtle.generateKey(WRAPPING, false, [
      "wrapKey",
      "unwrapKey",
    ])) as CryptoKeyPair;
    for (const cms of released)
      await expect(unwrapEnveloped(crypto.subtle, others.privateKey, cms)).rejects.toMatchObject({
        code: "key-refused",
      });
  });

  it("M19 refuses to open what was altered or has another length, with one code", async () => {
    const { backEnd } = await start();
    const [made] = await backEnd.makeDataKeys({ ...of, count: 1 });
    const [cms] = await backEnd.release([{ ...of, wrappedKey: made!.wrappedKey }], {
      attestation: await attest(),
    });
    const { encryptedKey } = parseEnvelopedData(cms!);
    const at = Buffer.from(cms!).indexOf(Buffer.from(encryptedKey));
    for (const altered of [cms!.slice(0, -1), flipped(cms!, at + 5), cms!.slice(1), new Uint8Array(600)])
      await expect(unwrapEnveloped(crypto.subtle, wrapping.privateKey, altered)).rejects.toMatchObject({
        code: "key-refused",
      });
  });

  it("M19 takes no key of another length than a data key has, in either form of CMS", async () => {
    for (const inPieces of [true, false]) {
      const cms = (length: number) => envelopedData(spki, new Uint8Array(length).fill(7), inPieces);
      const key = await unwrapEnveloped(crypto.subtle, wrapping.privateKey, cms(32));
      expect(key.extractable).toBe(false);
      for (const length of [16, 24, 31, 33, 40, 47, 48, 64])
        await expect(
          unwrapEnveloped(crypto.subtle, wrapping.privateKey, cms(length)),
          String(length),
        ).rejects.toMatchObject({ code: "key-refused" });
    }
  });

  it("M19 has no key released to other code, another platform, a debugger, nobody's key, or an old document", async () => {
    const { backEnd } = await start();
    const [made] = await backEnd.makeDataKeys({ ...of, count: 1 });
    const key = { ...of, wrappedKey: made!.wrappedKey };
    const other = await makeNitroAuthority(new Date());
    const launch = (by: NitroAuthority, code: Uint8Array, more = {}) =>
      launchNitroEnclave(by, { code, clock: Date.now, ...more });
    const old = await launch(authority, CODE, { clock: () => Date.now() - 10 * 60_000 });
    const documents: [string, Bytes][] = [
      ["AccessDeniedException", await attest(await launch(authority, utf8("other code")))],
      ["ValidationException", await attest(await launch(other, CODE))],
      ["ValidationException", await attest(await launch(authority, CODE, { debug: true }))],
      ["ValidationException", await attest(enclave, null)],
      ["ValidationException", await attest(old)],
      ["ValidationException", flipped(await attest(), 300)],
    ];
    for (const [code, attestation] of documents)
      await expect(backEnd.release([key], { attestation })).rejects.toMatchObject({
        name: "AttestationRefused",
        cause: { code },
      });
    // What is encrypted for one account opens for no other.
    const foreign = { ...key, account: "a-2" };
    await expect(backEnd.release([foreign], { attestation: await attest() })).rejects.toMatchObject({
      code: "InvalidCiphertextException",
    });
  });

  it("M19 is refused where whoever has the credentials gets keys in clear, unless the tenant goes without", async () => {
    const { backEnd } = await start({ imageSha384: null });
    const standing = await backEnd.standing();
    expect(standing.keeps).toEqual([]);
    expect(() => checkStanding(standing, { without: ["account-keys"] })).toThrow(BackEndRefused);
    expect(() =>
      checkStanding(standing, { without: ["account-keys", "sensitive", "release-policy"] }),
    ).not.toThrow();
    const { backEnd: strict } = await start();
    const kept = await strict.standing();
    expect(() => checkStanding(kept, { without: [] })).toThrow("does not keep account-keys");
    expect(() => checkStanding(kept, { without: ["account-keys"] })).not.toThrow();
  });

  it("M19 asks for a key in clear as data keys are asked for, which a key's policy may tell apart", async () => {
    const contexts: Record<string, string>[] = [];
    const { backEnd } = await start({}, {}, (url, init) => {
      contexts.push(JSON.parse(new TextDecoder().decode(init?.body as Uint8Array)).EncryptionContext);
      return fetch(url, init);
    });
    await backEnd.makeDataKeys({ ...of, count: 1 });
    await backEnd.standing();
    await backEnd.standing();
    const [made, ...probes] = contexts;
    expect(probes).toHaveLength(4);
    for (const probe of probes) {
      expect(Object.keys(probe)).toEqual(Object.keys(made ?? {}));
      expect(probe.tenant).toBe(of.tenant);
    }
    // The key and its probe have one account, which is nobody's, and another each time.
    const accounts = probes.map(({ account }) => account);
    expect([accounts[0], accounts[2]]).toEqual([accounts[1], accounts[3]]);
    expect(new Set([...accounts, made?.account]).size).toBe(3);
  });

  it("M19 takes no answer that has a key in clear", async () => {
    const { backEnd } = await start({ alsoInClear: true });
    const [made] = await backEnd.makeDataKeys({ ...of, count: 1 });
    const key = { ...of, wrappedKey: made!.wrappedKey };
    await expect(backEnd.release([key], { attestation: await attest() })).rejects.toBeInstanceOf(
      BackEndRefused,
    );
  });

  it("M19 signs each request: another secret, identity or region gets nothing", async () => {
    for (const wrong of [
      { credentials: { ...credentials, secretAccessKey: "another secret" } },
      { credentials: { ...credentials, accessKeyId: "AKIDOTHER" } },
      { region: "eu-west-1" },
    ]) {
      const { backEnd } = await start({}, wrong);
      const refused = backEnd.makeDataKeys({ ...of, count: 1 });
      await expect(refused).rejects.toBeInstanceOf(AwsRefused);
      await expect(refused).rejects.toMatchObject({ code: "IncompleteSignatureException" });
    }
  });

  it("M19 says that it is away where nobody answers", async () => {
    const { aws, backEnd } = await start();
    await aws.close();
    running = [];
    await expect(backEnd.makeDataKeys({ ...of, count: 1 })).rejects.toMatchObject({ name: "HsmUnavailable" });
  });
});

function flipped(bytes: Bytes, at: number): Bytes {
  const other = new Uint8Array(bytes);
  other[at] = (other[at] ?? 0) ^ 1;
  return other;
}
