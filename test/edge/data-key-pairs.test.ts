/**
 * Data keys that are RSA pairs (W1), beside those that are symmetric: under account keys and master keys of either kind, on the real parts.
 * A private half is an instance's to open; what a pair wraps is a secret for each message.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { readTenants } from "#edge/tenants.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { type Header, parseHeader, seal as sealMessage, serialiseHeader } from "#protocol/envelope/index.ts";
import { ACCOUNT_KEYS, DATA_KEYS, type DataKeys, MASTER_KEYS } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import { type AccountEdk, canonicalJws, partsOfPair } from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { captureCrypto } from "#web/microservice/crypto.ts";
import { wrapOnceMore } from "#web/microservice/ladder/second-layer.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { readRows } from "../system/index.ts";

async function withClient<T>(system: System, work: (client: Client) => Promise<T>): Promise<T> {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const client = await connect({ app, vault, rootKey: running.rootKey, user: "Ada" });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Sealing and opening in one piece: what is stored is in the test's hands. */
async function messages(client: Client) {
  const { port } = await client.microservice.use();
  const account = client.account();
  const context = (document: string) => ({
    ...{ tenant: client.identity.tenant, account, document, purpose: "document" },
  });
  return {
    ...{ port, account, context },
    seal: async (document: string, keep = false) => {
      const stream = port.seal({ context: context(document), keep }, new Blob([`the text of ${document}`]));
      return new Uint8Array(await new Response(stream).arrayBuffer());
    },
    open: (document: string, bytes: Uint8Array<ArrayBuffer>) =>
      new Response(port.open({ context: context(document) }, new Blob([bytes]))).text(),
  };
}

function read(bytes: Uint8Array<ArrayBuffer>): { header: Header; edk: AccountEdk; entries: string[] } {
  const header = parseHeader(bytes)!;
  const { payload } = jwsParts(new TextDecoder().decode(header.encryptedDataKeys[0]!.encryptedDataKey));
  const edk = JSON.parse(new TextDecoder().decode(payload)) as AccountEdk;
  return { header, edk, entries: header.encryptedDataKeys.map(({ providerId }) => providerId) };
}

/** A document's name, and its message. */
type Sealed = [string, Uint8Array<ArrayBuffer>];
type Entry = Header["encryptedDataKeys"][number];
const CLOSED = { code: "decrypt-failed" };

/** How Enc(data) stands, by the kinds of data key and account key. */
const WRAPPINGS = {
  "AES-256": { "AES-256": "A256KW", "RSA-3072": "RSA-OAEP-256" },
  "RSA-3072": { "AES-256": "A256GCM", "RSA-3072": "RSA-OAEP-256+A256GCM" },
} as const;

const kinds = ACCOUNT_KEYS.flatMap((account) => [
  ...MASTER_KEYS.map((master) => ["master" as Level, account, master] as const),
  ["account" as Level, account, "AES-256" as const] as const,
]);

describe("data keys of either kind", () => {
  it.each(kinds)(
    "W1 W2 W4 at level %s, account key %s, master key %s: data keys of both kinds are made, rotated, opened over restarts, and deleted",
    { timeout: 180_000 },
    async (level, accountKeys, masterKey) => {
      let dataKeys: DataKeys = "AES-256";
      const vars = { COFFER_DAY_SECONDS: "1" };
      const system = await startSystem({
        level,
        masterKey,
        vars,
        settings: () => ({ accountKeys, dataKeys }),
      });
      try {
        const sealed: Sealed[] = [];
        for (dataKeys of [...DATA_KEYS, "AES-256" as const]) {
          if (sealed.length > 0) await system.restart();
          await withClient(system, async (client) => {
            const { port, account, seal, open } = await messages(client);
            if (dataKeys === "AES-256" && sealed.length > 0) await port.renew(account);
            const name = `document ${sealed.length}`;
            sealed.push([name, await seal(name)]);
            const { edk, entries } = read(sealed.at(-1)![1]);
            expect(edk.wrapping).toBe(WRAPPINGS[dataKeys][accountKeys]);
            expect(entries).toEqual(dataKeys === "AES-256" ? ["coffer"] : ["coffer", "coffer-secret"]);
            // Another secret each time, under the same data key.
            const again = read(await seal(`${name} again`));
            expect([again.edk.keyId, again.edk.keyVersion]).toEqual([edk.keyId, edk.keyVersion]);
            if (dataKeys === "RSA-3072")
              expect(again.header.encryptedDataKeys[1]).not.toEqual(
                read(sealed.at(-1)![1]).header.encryptedDataKeys[1],
              );
            await port.lock();
            for (const [document, bytes] of sealed)
              expect(await open(document, bytes)).toBe(`the text of ${document}`);
          });
        }
        expect(sealed.map(([, bytes]) => read(bytes).edk.keyVersion)).toEqual([1, 2, 3]);
        // Another instance, which has none of the keys.
        await withClient(system, async (client) => {
          const { open } = await messages(client);
          for (const [document, bytes] of sealed)
            expect(await open(document, bytes)).toBe(`the text of ${document}`);
        });
        await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
        // The pair's version goes alone, and the account takes what is left with it.
        const [, [ofPair, bytes], [last, others]] = sealed as [unknown, Sealed, Sealed];
        const ada = await EdgeClient.signedIn(system, "Ada");
        const { keyId, keyVersion } = read(bytes).edk;
        const at = `/accounts/${ada.account}`;
        const now = { immediately: true };
        // For a second after it was replaced, an instance may seal under it still.
        const remove = () => ada.rest("POST", `${at}/data-keys/${keyId}.${keyVersion}/deletion`, now);
        await expect.poll(async () => (await remove()).status).toBe(200);
        await withClient(system, async (client) => {
          const { open } = await messages(client);
          // At level `account` what the header has is enough for who has the account key.
          if (level === "master")
            await expect(open(ofPair, bytes)).rejects.toMatchObject({ code: "not-found" });
          expect(await open(last, others)).toBe(`the text of ${last}`);
        });
        expect((await ada.rest("POST", `${at}/deletion`, now)).status).toBe(200);
        await withClient(system, async (client) => {
          const { port } = await client.microservice.use();
          const { tenant } = client.identity;
          for (const [document, stored] of sealed) {
            const of = { tenant, account: ada.account, document, purpose: "document" };
            const opened = new Response(port.open({ context: of }, new Blob([stored]))).text();
            await expect(opened).rejects.toMatchObject({ code: "forbidden" });
          }
        });
      } finally {
        await system.close();
      }
    },
  );
});

describe("what passes for a data key that is a pair, or for a secret under it", () => {
  let system: System;
  beforeAll(async () => {
    const settings = () => ({ dataKeys: "RSA-3072" }) as const;
    system = await startSystem({ level: "master", settings });
  });
  afterAll(() => system?.close());

  it("W1 a secret that somebody has wrapped to the public half opens nothing: in a document there is, and in one put together by hand", async () => {
    await withClient(system, async (client) => {
      const { seal, open, context } = await messages(client);
      const [letter, other] = [await seal("a letter"), await seal("another")];
      const { header, edk } = read(letter);
      const [own, secret] = header.encryptedDataKeys as [Entry, Entry];
      const stored = decodeBase64url(edk.wrappedKey);
      // What anyone reads in any header: the public half, and the version's secret as it is wrapped to it.
      const { publicKey, secret: ofVersion } = partsOfPair(stored);
      const wrapTo = { name: "RSA-OAEP", hash: "SHA-256" };
      const to = await crypto.subtle.importKey("spki", publicKey, wrapTo, false, ["encrypt"]);
      const raw = crypto.getRandomValues(new Uint8Array(32));
      const wrapped = new Uint8Array(await crypto.subtle.encrypt(wrapTo, to, raw));
      const known = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveKey"]);
      const { random } = captureCrypto(crypto);
      const by = utf8("coffer-document-secret-v1");
      const layered = await wrapOnceMore({ subtle: crypto.subtle, random }, known, edk, wrapped, by);
      const entry = (encryptedDataKey: Uint8Array) => ({ ...secret, encryptedDataKey });
      const swapped = (keys: Entry[]) =>
        concat(
          serialiseHeader({ ...header, encryptedDataKeys: keys }).body,
          letter.slice(header.body.length),
        );
      const byHand = async (keys: Entry[]) => {
        const under = { dataKey: known, encryptedDataKeys: keys, context: context("a letter") };
        const forged = sealMessage(new Blob(["a forged letter"]), {
          subtle: crypto.subtle,
          random,
          ...under,
        });
        return new Uint8Array(await new Response(forged).arrayBuffer());
      };
      const secrets = [
        wrapped,
        layered,
        ofVersion,
        read(other).header.encryptedDataKeys[1]!.encryptedDataKey,
      ];
      for (const made of secrets) {
        await expect(open("a letter", swapped([own, entry(made)]))).rejects.toMatchObject(CLOSED);
        await expect(open("a letter", await byHand([own, entry(made)]))).rejects.toMatchObject(CLOSED);
      }
      for (const keys of [[own], [own, secret, secret]]) {
        await expect(open("a letter", swapped(keys))).rejects.toMatchObject(CLOSED);
        await expect(open("a letter", await byHand(keys))).rejects.toMatchObject(CLOSED);
      }
      expect(await open("a letter", letter)).toBe("the text of a letter");
    });
  });

  it("W1 a message that is gone on with has the secret that it was begun with, and under another version it is another message", async () => {
    await withClient(system, async (client) => {
      const { port, account, seal, open } = await messages(client);
      const begun = await seal("kept", true);
      await expect(seal("kept", true)).resolves.toEqual(begun);
      expect(await open("kept", begun)).toBe("the text of kept");
      await port.renew(account);
      await expect(seal("kept", true)).rejects.toMatchObject({ code: "source-changed" });
    });
  });

  it("W1 no pair is rewrapped or granted to an instance of level data, and the answer says why", async () => {
    const edk = await withClient(system, async (client) => {
      const { seal } = await messages(client);
      const { header } = read(await seal("a letter"));
      return new TextDecoder().decode(header.encryptedDataKeys[0]!.encryptedDataKey);
    });
    const ada = await EdgeClient.signedIn(system, "Ada");
    const certificate = encodeBase64url(new Uint8Array(64));
    const asked = { edk: canonicalJws(edk), certificate };
    expect(problem(await ada.rest("POST", "/kms/loads", { way: "rewrap", ...asked }))).toBe(
      "422 key-unusable",
    );
    const grant = { edks: [asked.edk], certificate };
    expect(problem(await ada.rest("POST", "/kms/grants", grant))).toBe("422 key-unusable");
  });

  it("W10 takes a pair that an instance has made where the tenant has pairs, of no other length, once, and by its word for these bytes", async () => {
    const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
    const at = `/instances/accounts/${app.account}`;
    const body = { account: app.account, purpose: "document" };
    const asked = await app.rest("POST", "/instances/key-identifiers", body);
    expect(json(asked)).toMatchObject({ keyVersion: 1, dataKeys: "RSA-3072" });
    const { id } = json<{ id: string }>(await app.rest("GET", `${at}/key`));
    const bytes = (length: number) => encodeBase64url(crypto.getRandomValues(new Uint8Array(length)));
    const renew = async (wrappedKey: string, change: object = {}) => {
      const made = { ...(await app.vouched({ wrappedKey, accountKey: id })), ...change };
      const answer = await app.rest("POST", `${at}/data-keys`, { purpose: "document", made });
      return answer.status === 201 ? "201" : problem(answer);
    };
    expect(await renew(bytes(2602))).toBe("502 hsm-refused");
    expect(await renew(bytes(2631))).toBe("502 hsm-refused");
    expect(await renew(bytes(3043))).toBe("400 bad-request");
    expect(await renew(bytes(2630), { wrappedKey: bytes(2630) })).toBe("403 forbidden");
    const made = bytes(2630);
    expect(await renew(made)).toBe("201");
    expect(await renew(made)).toBe("409 conflict");
  });
});

it("W10 takes no pair where the tenant's data keys are none", { timeout: 60_000 }, async () => {
  const system = await startSystem({ level: "master" });
  try {
    const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
    const at = `/instances/accounts/${app.account}`;
    const body = { account: app.account, purpose: "document" };
    expect(json(await app.rest("POST", "/instances/key-identifiers", body))).not.toHaveProperty("dataKeys");
    const { id } = json<{ id: string }>(await app.rest("GET", `${at}/key`));
    const wrappedKey = encodeBase64url(new Uint8Array(2630));
    const made = await app.vouched({ wrappedKey, accountKey: id });
    const answer = await app.rest("POST", `${at}/data-keys`, { purpose: "document", made });
    expect(problem(answer)).toBe("409 conflict");
  } finally {
    await system.close();
  }
});

it("W1 refuses pairs for a tenant whose instances have no account key", () => {
  const entry = { vault: "https://vault.acme.example", apps: ["https://app.acme.example"] };
  const table = (level: string) => ({ acme: { ...entry, level, dataKeys: "RSA-3072" } });
  for (const level of ["account", "master"])
    expect(readTenants(table(level), true).byName.get("acme")).toMatchObject({ dataKeys: "RSA-3072" });
  expect(() => readTenants(table("data"), true)).toThrow(
    "acme: dataKeys are RSA-3072 where instances open them by an account key, which none has at level data",
  );
  expect(() => readTenants({ acme: { ...entry, level: "master", dataKeys: "RSA-2048" } }, true)).toThrow(
    "acme",
  );
});
