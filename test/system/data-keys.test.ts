/** M6 and M8: data keys made in the HSM, archived encrypted, and rewrapped to one registered microservice. */

import { createDecipheriv, createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { scanBytes } from "../memory/index.ts";
import { hsmClient, outcome } from "./hsm.ts";
import {
  needlesOf,
  openEnrolled,
  readRows,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
  withKit,
} from "./index.ts";
import { selfSigned } from "./self-signed.ts";

const running = useSystemAndBrowser();
const { system } = running;
let ada: Page;
let bob: Page;
const watched = watchKeys();
const traffic = watchTraffic();

beforeAll(async () => {
  [ada, bob] = await Promise.all([openEnrolled(running, "Ada"), openEnrolled(running, "Bob")]);
});
afterAll(async () => {
  watched.stop();
  traffic.stop();
});

type Asked = { edks: string[]; account: string; certificate: string; instance: string; refused: string };

/** Data keys for an account (the page's own by default), and the page's enrolled instance. */
const ask = (page: Page, body: { count?: number; account?: string } = {}): Promise<Asked> =>
  withKit(
    page,
    async (kit, { vault, body }) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const state = coffer.microservice as { instance: { id: string; wrappingCertificate: string } };
      const own = coffer.identity!.accounts[0]!.id;
      const rest = await kit.rest(vault);
      const request = { account: own, count: 1, purpose: "document", ...body };
      const about = {
        account: own,
        certificate: state.instance.wrappingCertificate,
        instance: state.instance.id,
      };
      return rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: request }).then(
        ({ edks }) => ({ edks, refused: "", ...about }),
        (error: { code?: string }) => ({ edks: [], refused: error.code ?? String(error), ...about }),
      );
    },
    { vault: system.vaultOrigin, body },
  );

type Rewrapped = { wrappedKey: string; receipt: string; refused: string };

const rewrap = (page: Page, body: { edk: string; certificate: string }): Promise<Rewrapped> =>
  withKit(
    page,
    async (kit, { vault, body }) => {
      const rest = await kit.rest(vault);
      const json = { way: "rewrap", ...body };
      return rest.json<{ wrappedKey: string; receipt: string }>("POST", "/kms/loads", { json }).then(
        (answer) => ({ ...answer, refused: "" }),
        (error: { code?: string }) => ({ wrappedKey: "", receipt: "", refused: error.code ?? String(error) }),
      );
    },
    { vault: system.vaultOrigin, body },
  );

const payload = (jws: string) =>
  JSON.parse(Buffer.from(jws.split(".")[1]!, "base64url").toString()) as Record<string, unknown>;

it("M6 the KMS returns data keys that the HSM made, encrypted under the account key, with signed metadata", async () => {
  const { edks, account } = await ask(ada, { count: 3 });
  expect(edks).toHaveLength(3);
  const [first] = edks.map(payload);
  expect(first).toMatchObject({
    version: 1,
    keyVersion: 1,
    tenant: "development",
    account,
    purpose: "document",
    wrapping: "A256KW",
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
    keyId: expect.any(String),
    owner: expect.any(String),
    created: expect.any(Number),
    policy: { operations: expect.arrayContaining(["encrypt", "decrypt"]) },
    accountKey: { id: expect.any(String), version: 1 },
  });
  // Under the account key that the HSM had in that batch each opens to a key that the HSM made: AES Key Wrap, RFC 3394.
  const made = new Set(watched.ofClass("data").map(({ bytes }) => Buffer.from(bytes).toString("hex")));
  const opened = edks.map((edk) => {
    const wrapped = Buffer.from(payload(edk).wrappedKey as string, "base64url");
    return watched
      .ofClass("account")
      .map(({ bytes }) => unwrap(bytes, wrapped))
      .find((key) => key !== undefined);
  });
  for (const key of opened) expect(made).toContain(key);
  expect(new Set(opened).size).toBe(3);
});

it("M6 what the custodian gets holds no key that it could read", async () => {
  const { edks } = await ask(ada, { count: 4 });
  const keys = needlesOf(watched.keys);
  const parts = edks.flatMap((edk) => edk.split(".").map((part) => Buffer.from(part, "base64url")));
  expect(scanBytes(Buffer.concat([Buffer.from(edks.join()), ...parts]), keys)).toEqual([]);
});

it("M6 no keys for an account of others, for too many at a time, or for another purpose", async () => {
  const bobs = await ask(bob);
  expect(bobs.refused).toBe("");
  expect((await ask(ada, { account: bobs.account })).refused).toBe("forbidden");
  expect((await ask(ada, { count: 17 })).refused).toBe("bad-request");
  expect((await ask(ada, { count: 0 })).refused).toBe("bad-request");
});

it("M8 rewrap gives the data key encrypted to the microservice's certificate, with a receipt for exactly that", async () => {
  const { edks, certificate } = await ask(ada);
  const [edk] = edks as [string];
  const { wrappedKey, receipt } = await rewrap(ada, { edk, certificate });
  const wrapped = Buffer.from(wrappedKey, "base64url");
  // By X25519 and ML-KEM-768 together (docs/decisions/0064): share, ciphertext, and the key wrapped twice.
  expect(wrapped).toHaveLength(1176);
  const digest = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("base64url");
  expect(payload(receipt)).toMatchObject({
    wrappedKeyDigest: digest(wrapped),
    edkDigest: digest(edk),
    recipient: digest(Buffer.from(certificate, "base64url")),
    keyId: payload(edk).keyId,
    tenant: "development",
  });
  const { publicKey } = new X509Certificate(Buffer.from(certificate, "base64url"));
  expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
});

it("M8 it is one KMIP batch that imports, gets wrapped and destroys; nothing is decrypted and nothing stays", async () => {
  const { edks, certificate } = await ask(ada);
  const before = traffic.messages.length;
  await rewrap(ada, { edk: edks[0]!, certificate });
  const since = { ...traffic, messages: traffic.messages.slice(before) };
  const batches = traffic
    .requests()
    .slice(traffic.messages.slice(0, before).filter(({ direction }) => direction === "request").length)
    .map(({ items }) => items.map(({ operation }) => operation));
  expect(since.messages.length).toBeGreaterThan(0);
  expect(batches).toContainEqual(["Import", "Import", "Get", "Revoke", "Destroy", "Revoke", "Destroy"]);
  const all = traffic.requests().flatMap(({ items }) => items.map(({ operation }) => operation));
  for (const never of ["Decrypt", "Encrypt", "DeriveKey", "Export"]) expect(all).not.toContain(never);
  // The KMS owns all that it imported: it can find none of it now.
  const kms = await hsmClient(system, IDENTITY.kms);
  const { uniqueIdentifier } = await kms.request("Locate", {
    attributes: { objectType: "SymmetricKey", state: "Active" },
  });
  const names = await Promise.all(
    uniqueIdentifier.map((id) =>
      kms.request("GetAttributes", { uniqueIdentifier: id, attributeReference: [] }),
    ),
  );
  const last = names.flatMap(({ attributes }) =>
    attributes.name?.map(({ nameValue }) => nameValue.split("/").at(-1)),
  );
  expect(last.toSorted()).toEqual(["master", "seed"]);
  kms.close();
});

it("M8 a certificate that the registration authority did not register is refused", async () => {
  const { edks } = await ask(ada);
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const forged = await selfSigned(publicKey, privateKey);
  expect((await rewrap(ada, { edk: edks[0]!, certificate: forged.toString("base64url") })).refused).toBe(
    "not-recipient",
  );
});

it("M8 another custodian's key or another custodian's certificate is refused", async () => {
  const [hers, his] = [await ask(ada), await ask(bob)];
  expect((await rewrap(ada, { edk: hers.edks[0]!, certificate: his.certificate })).refused).toBe(
    "not-recipient",
  );
  expect((await rewrap(bob, { edk: hers.edks[0]!, certificate: his.certificate })).refused).toBe("forbidden");
  expect((await rewrap(bob, { edk: hers.edks[0]!, certificate: hers.certificate })).refused).toMatch(
    /^forbidden|foreign-custodian$/,
  );
});

it("M8 an EDK with one character changed is refused", async () => {
  const { edks, certificate } = await ask(ada);
  const [header, body, signature] = edks[0]!.split(".") as [string, string, string];
  const other = { ...payload(edks[0]!), account: "00000000-0000-4000-8000-000000000000" };
  const forged = Buffer.from(JSON.stringify(other)).toString("base64url");
  const flipped = (signature[5] === "A" ? "B" : "A") + signature.slice(6);
  for (const edk of [
    `${header}.${forged}.${signature}`,
    `${header}.${body}.${signature.slice(0, 5)}${flipped}`,
  ]) {
    expect((await rewrap(ada, { edk, certificate })).refused).toBe("invalid-edk");
  }
});

it("M8 an instance that was revoked gets no key any more, from the KMS or from the HSM", async () => {
  const { edks, certificate, instance } = await ask(bob);
  const [row] = readRows(system.edgeDir, "instances").filter(({ id }) => id === instance);
  await withKit(
    bob,
    async (kit, { vault, instance }) => {
      const rest = await kit.rest(vault);
      await rest.send("DELETE", `/ra/instances/${instance}`, {}, async () => undefined);
    },
    { vault: system.vaultOrigin, instance },
  );
  expect((await rewrap(bob, { edk: edks[0]!, certificate })).refused).toBe("not-recipient");
  const ra = await hsmClient(system, IDENTITY.ra);
  expect(await outcome(ra.request("Get", { uniqueIdentifier: String(row!.hsm_key) }))).not.toBe("Success");
  ra.close();
});

function unwrap(kek: Uint8Array, wrapped: Uint8Array): string | undefined {
  try {
    const cipher = createDecipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6));
    return Buffer.concat([cipher.update(wrapped), cipher.final()]).toString("hex");
  } catch {
    return undefined; // another account key
  }
}
