/**
 * The HSM's release policy on the running system: with the live certificate of one domain of the edge, and with all that
 * the edge stores (Enc(account key), Enc(data key)), an attacker gets no data key in plaintext, wrapped to a key of his
 * own, or with Sensitive off.
 */

import { constants, generateKeyPairSync, type KeyObject, privateDecrypt, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { Attributes } from "#protocol/kmip/index.ts";
import { needle, scanBytes } from "../memory/index.ts";
import { type HsmClient, hsmClient, outcome } from "./hsm.ts";
import { expectHidden, expectRefused, REFUSALS } from "./hsm-refusals.ts";
import {
  get,
  importKey,
  importPlain,
  registerCertificate,
  registerPublicKey,
  vendor,
} from "./hsm-requests.ts";
import { needlesOf, openEnrolled, readRows, useSystemAndBrowser, watchKeys, withKit } from "./index.ts";
import { reaches, tryAll } from "./reach.ts";
import { selfSigned } from "./self-signed.ts";

const running = useSystemAndBrowser();
const { system } = running;
let kms: HsmClient;
let ra: HsmClient;
let user: HsmClient;
/** What lies in the edge's stores, and the identifiers of the objects that stay in the HSM. */
let accountKey: { wrapped: Uint8Array<ArrayBuffer>; master: string };
let wrappedDataKey: Uint8Array<ArrayBuffer>;
let recipient: string;
/** The attacker's own RSA pair. */
let own: { publicKey: KeyObject; privateKey: KeyObject };
const watched = watchKeys();

type Usage = NonNullable<Attributes["cryptographicUsageMask"]>;
beforeAll(async () => {
  [kms, ra, user] = (await Promise.all(
    [IDENTITY.kms, IDENTITY.ra, "ordinary-user"].map((name) => hsmClient(system, name)),
  )) as [HsmClient, HsmClient, HsmClient];
  const page = await openEnrolled(running, "Ada");
  const edk = await withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const rest = await kit.rest(vault);
      const body = { account: coffer.identity!.accounts[0]!.id, count: 1, purpose: "document" };
      const { edks } = await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: body });
      return edks[0]!;
    },
    system.vaultOrigin,
  );
  await page.close();
  const claims = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString()) as {
    wrappedKey: string;
  };
  wrappedDataKey = new Uint8Array(Buffer.from(claims.wrappedKey, "base64url"));
  const [row] = readRows(system.edgeDir, "account_keys");
  accountKey = { wrapped: new Uint8Array(row!.wrapped as Uint8Array), master: String(row!.master) };
  recipient = String(readRows(system.edgeDir, "instances")[0]!.hsm_key);
  own = generateKeyPairSync("rsa", { modulusLength: 3072 });
});
afterAll(async () => {
  for (const client of [kms, ra, user]) client?.close();
  watched.stop();
});

/** Both keys of the ladder in the HSM, owned by the KMS, as in the midst of a rewrap. */
async function ladder(attributes: Attributes = {}): Promise<{ account: string; data: string }> {
  const account = await importKey(kms, accountKey.wrapped, accountKey.master, attributes);
  return { account, data: await importKey(kms, wrappedDataKey, account, attributes) };
}

/** Whether anything that the HSM answered to this client holds a key, be it under the attacker's own RSA key. */
function leaked(client: HsmClient): unknown[] {
  const needles = needlesOf(watched.keys);
  const answers = Buffer.concat(client.received);
  const opened: Buffer[] = [];
  for (const answer of client.received) {
    // A wrapped key is a byte string of 384 bytes: type 8, length 0x180.
    for (
      let at = answer.indexOf("0800000180", 0, "hex");
      at >= 0;
      at = answer.indexOf("0800000180", at + 1, "hex")
    ) {
      try {
        const options = {
          key: own.privateKey,
          padding: constants.RSA_PKCS1_OAEP_PADDING,
          oaepHash: "sha256",
        };
        opened.push(privateDecrypt(options, answer.subarray(at + 5, at + 5 + 384)));
      } catch {
        // Not for this key.
      }
    }
  }
  return scanBytes(Buffer.concat([answers, ...opened]), needles);
}

describe("release policy", () => {
  it("the KMS may do its job: a data key wrapped to a registered recipient (positive control)", async () => {
    const { data } = await ladder();
    const { object } = await get(kms, data, { key: recipient, rsa: true });
    const value = object.symmetricKey?.keyBlock.keyValue;
    const wrapped = value instanceof Uint8Array ? value : value?.keyMaterial;
    expect(wrapped).toBeInstanceOf(Uint8Array);
    expect((wrapped as Uint8Array).length).toBe(384);
  });

  it("an ordinary user's key comes out in plaintext, so the requests are well made (positive control)", async () => {
    const bytes = randomBytes(32);
    const { uniqueIdentifier } = await importPlain(user, bytes, { sensitive: false, extractable: true });
    const plain = await get(user, uniqueIdentifier);
    expect(scanBytes(user.received.at(-1)!, [needle("own", bytes)])).toHaveLength(1);
    expect(plain.object.symmetricKey).toBeDefined();
    const { uniqueIdentifier: key } = await registerPublicKey(user, own.publicKey);
    await get(user, uniqueIdentifier, { key, rsa: true });
    const before = watched.keys.length;
    watched.keys.push({ uid: "own", keyClass: "own", bytes });
    expect(leaked(user).length, "leaks are seen, wrapped ones too").toBeGreaterThan(1);
    watched.keys.length = before;
  });

  it("with the KMS's certificate alone no key comes out in plaintext", async () => {
    const { account, data } = await ladder();
    const { master } = accountKey;
    await expectRefused({
      "Get data": () => get(kms, data),
      "Get account": () => get(kms, account),
      "Get master": () => get(kms, master),
      "Get data by its parent as TTLV": () => get(kms, data, { key: account, encoding: "TTLVEncoding" }),
      "Get account to a recipient": () => get(kms, account, { key: recipient, rsa: true }),
      "Get master to a recipient": () => get(kms, master, { key: recipient, rsa: true }),
      "Get account by data": () => get(kms, account, { key: data }),
      "Get data by master": () => get(kms, data, { key: master }),
      "Get master by account": () => get(kms, master, { key: account }),
      Export: () => kms.request("Export", { uniqueIdentifier: data }),
      Decrypt: () =>
        kms.request("Decrypt", {
          uniqueIdentifier: account,
          data: wrappedDataKey,
          cryptographicParameters: { blockCipherMode: "NISTKeyWrap" },
        }),
      Encrypt: () =>
        kms.request("Encrypt", {
          uniqueIdentifier: account,
          data: new Uint8Array(16),
          cryptographicParameters: { blockCipherMode: "ECB" },
        }),
      MAC: () =>
        kms.request("MAC", {
          uniqueIdentifier: data,
          data: new Uint8Array(16),
          cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" },
        }),
    });
    expect(leaked(kms)).toEqual([]);
  });

  it("with the KMS's certificate alone no key comes out wrapped to a key of the attacker's own", async () => {
    const { account, data } = await ladder();
    const known = randomBytes(32);
    const certificate = await selfSigned(own.publicKey, own.privateKey);
    const usage: Usage = ["WrapKey", "UnwrapKey", "Encrypt", "Decrypt"];
    const aes = {
      cryptographicAlgorithm: "AES" as const,
      cryptographicLength: 256,
      cryptographicUsageMask: usage,
    };
    // A key of another identity that would wrap: an ordinary user's, shared with everyone as far as possible.
    const { uniqueIdentifier: theirs } = await registerPublicKey(user, own.publicKey);
    const { uniqueIdentifier: symmetric } = await importPlain(user, known, {});
    await expectRefused({
      "Register a public key": () => registerPublicKey(kms, own.publicKey),
      "Register a certificate": () => registerCertificate(kms, certificate),
      "Register a recipient's authority": () =>
        registerCertificate(kms, certificate, vendor("RecipientCA", "true")),
      "Import a known wrapping key": () => importPlain(kms, known, {}),
      "Import a known account key": () => importPlain(kms, known, vendor("Class", "account")),
      "Create a key without a parent": () =>
        kms.request("Create", { objectType: "SymmetricKey", attributes: aes }),
      "Create a master key": () =>
        kms.request("Create", {
          objectType: "SymmetricKey",
          attributes: { ...aes, ...vendor("Class", "master") },
        }),
      "Create a key pair": () =>
        kms.request("CreateKeyPair", {
          commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072 },
          privateKeyAttributes: { cryptographicUsageMask: ["UnwrapKey", "Decrypt"] },
          publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
        }),
    });
    const others: [HsmClient, string][] = [
      [user, theirs],
      [user, symmetric],
    ];
    await expectHidden(others, {
      "Get data to another identity's RSA key": () => get(kms, data, { key: theirs, rsa: true }),
      "Get data by another identity's AES key": () => get(kms, data, { key: symmetric }),
      "Get account by another identity's AES key": () => get(kms, account, { key: symmetric }),
    });
    expect(leaked(kms)).toEqual([]);
  });

  it("with the KMS's certificate alone Sensitive stays on and the usage stays narrow", async () => {
    const wide: Usage = ["Encrypt", "Decrypt", "DeriveKey", "WrapKey", "UnwrapKey", "MACGenerate"];
    // Asked for at the import: refused, or granted no more than the class allows.
    const asked = await outcome(
      ladder({ sensitive: false, extractable: true, cryptographicUsageMask: wide }),
    );
    if (asked !== "Success") expect(REFUSALS).toContain(asked);
    else {
      const loose = await ladder({ sensitive: false, extractable: true, cryptographicUsageMask: wide });
      for (const [uniqueIdentifier, allowed] of [
        [loose.account, ["WrapKey", "UnwrapKey"]],
        [loose.data, ["DeriveKey"]],
      ] as const) {
        const { attributes } = await kms.request("GetAttributes", {
          uniqueIdentifier,
          attributeReference: [],
        });
        expect(attributes.sensitive).toBe(true);
        expect(allowed).toEqual(expect.arrayContaining(attributes.cryptographicUsageMask ?? []));
      }
      await expectRefused({
        "Get data": () => get(kms, loose.data),
        "Get account": () => get(kms, loose.account),
      });
    }
    const { account, data } = await ladder();
    await expectRefused({
      "switch Sensitive off": () =>
        kms.request("SetAttribute", { uniqueIdentifier: data, newAttribute: { sensitive: false } }),
      "switch it off the old way": () =>
        kms.request("ModifyAttribute", { uniqueIdentifier: data, newAttribute: { sensitive: false } }),
      "allow to extract": () =>
        kms.request("SetAttribute", { uniqueIdentifier: account, newAttribute: { extractable: true } }),
      "widen the usage": () =>
        kms.request("SetAttribute", {
          uniqueIdentifier: account,
          newAttribute: { cryptographicUsageMask: wide },
        }),
      "add a user": () =>
        kms.request("AddAttribute", { uniqueIdentifier: data, newAttribute: vendor("Users", "*") }),
      "another class": () =>
        kms.request("AddAttribute", { uniqueIdentifier: data, newAttribute: vendor("Class", "data") }),
    });
    expect(leaked(kms)).toEqual([]);
  });

  it("an account key passed off as a data key does not come out to a recipient", async () => {
    // Wrapped by the master key, so it is a child of it, whatever the importer calls it.
    const posing = await importKey(kms, accountKey.wrapped, accountKey.master, {
      cryptographicUsageMask: ["DeriveKey"],
    }).catch(() => undefined);
    if (posing)
      await expectRefused({ "Get it to a recipient": () => get(kms, posing, { key: recipient, rsa: true }) });
    expect(leaked(kms)).toEqual([]);
  });

  it("with the RA's certificate alone no key of the hierarchy can be imported, made, or had in any form", async () => {
    const { account, data } = await ladder();
    const { master } = accountKey;
    const usage: Usage = ["WrapKey", "UnwrapKey"];
    const hierarchy: [HsmClient, string][] = [data, account, master].map((uid) => [kms, uid]);
    await expectHidden(hierarchy, {
      "Get data": () => get(ra, data),
      "Get data to a recipient": () => get(ra, data, { key: recipient, rsa: true }),
      "Get account": () => get(ra, account),
      "Get master": () => get(ra, master),
      "Get master to a recipient": () => get(ra, master, { key: recipient, rsa: true }),
    });
    await expectRefused({
      "Import Enc(account)": () => importKey(ra, accountKey.wrapped, master),
      "Import Enc(data)": () => importKey(ra, wrappedDataKey, account),
      "Import a known key": () => importPlain(ra, randomBytes(32), {}),
      "Create a key": () =>
        ra.request("Create", {
          objectType: "SymmetricKey",
          attributes: {
            cryptographicAlgorithm: "AES",
            cryptographicLength: 256,
            cryptographicUsageMask: usage,
            ...vendor("Parent", master),
          },
        }),
      Decrypt: () =>
        ra.request("Decrypt", {
          uniqueIdentifier: account,
          data: wrappedDataKey,
          cryptographicParameters: { blockCipherMode: "NISTKeyWrap" },
        }),
      "name an authority": async () =>
        registerCertificate(
          ra,
          await selfSigned(own.publicKey, own.privateKey),
          vendor("RecipientCA", "true"),
        ),
    });
    expect(leaked(ra)).toEqual([]);
  });

  it("W9 every operation of the server, tried on each key of the hierarchy with each live certificate but the KMS's, gives none, ends none and finds none", async () => {
    const { account, data } = await ladder();
    const keys = { master: accountKey.master, account, data };
    const found: string[] = [];
    for (const identity of [IDENTITY.ra, IDENTITY.iam, IDENTITY.audit, IDENTITY.officer, "ordinary-user"]) {
      const client = await hsmClient(system, identity);
      for (const [kind, uid] of Object.entries(keys)) {
        // The officer makes master keys, and ends them.
        if (identity === IDENTITY.officer && kind === "master") continue;
        for (const { operation, payload, answer } of await tryAll(client, {
          uid,
          by: account,
          recipient,
          own: uid,
        }))
          if (reaches(operation, answer, uid, payload)) found.push(`${identity}: ${operation} of ${kind}`);
      }
      expect(leaked(client), identity).toEqual([]);
      client.close();
    }
    expect(found).toEqual([]);
    // The same requests are answered to the KMS: its key is there still, and they are well made (positive control).
    const target = { uid: data, by: account, recipient, own: account };
    const answered = (await tryAll(kms, target)).filter(({ operation, payload, answer }) =>
      reaches(operation, answer, data, payload),
    );
    expect([...new Set(answered.map(({ operation }) => operation))].toSorted()).toEqual([
      ...["Destroy", "Get", "GetAttributes", "Locate", "Revoke"],
    ]);
    expect(leaked(kms)).toEqual([]);
  });

  it("a recipient whose certificate the instances' authority did not sign is no recipient", async () => {
    const certificate = await selfSigned(own.publicKey, own.privateKey);
    const { data } = await ladder();
    // The HSM may refuse the registration, or keep a public key that it wraps nothing to.
    const registered = await registerCertificate(ra, certificate)
      .then(({ uniqueIdentifier }) =>
        registerPublicKey(ra, own.publicKey, {
          cryptographicUsageMask: ["WrapKey"],
          link: [{ linkType: "CertificateLink", linkedObjectIdentifier: uniqueIdentifier }],
        }),
      )
      .catch(() => undefined);
    if (registered) {
      const key = registered.uniqueIdentifier;
      await expectRefused({ "wrap to it": () => get(kms, data, { key, rsa: true }) });
    }
    expect(leaked(kms)).toEqual([]);
  });

  it("no certificate, no answer; an ordinary user finds nothing of the hierarchy", async () => {
    const { account, data } = await ladder();
    const hierarchy: [HsmClient, string][] = [data, account, accountKey.master].map((uid) => [kms, uid]);
    await expectHidden(hierarchy, {
      "Get data": () => get(user, data),
      "Get account": () => get(user, account),
      "Get master": () => get(user, accountKey.master),
      "Import under the master key": () => importKey(user, accountKey.wrapped, accountKey.master),
    });
    expect(leaked(user)).toEqual([]);
    const { hsm } = system.running;
    const anonymous = fetch(`https://127.0.0.1:${hsm.httpsPort}/kmip`, {
      method: "POST",
      body: new Uint8Array(8),
    });
    await expect(anonymous).rejects.toThrow();
  });
});
