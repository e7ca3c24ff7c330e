/** W14 on the real parts: an application server at level `master`, whose tenant wants Enc(data), the ciphertext, or both encrypted once more. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { rotateMasterKey } from "#cli/master-key.ts";
import { readTenants } from "#edge/tenants.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { excerptOf, parseHeader, serialiseHeader } from "#protocol/envelope/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk } from "#protocol/keys/index.ts";
import type { SecondLayer } from "#protocol/second-layer.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { hsmClient } from "../system/hsm.ts";
import { useSystem } from "../system/index.ts";

const PASSPHRASE = "a secret of the server, at random";
let wanted: SecondLayer | undefined;
const system = useSystem({
  level: "master",
  settings: () => (wanted === undefined ? {} : { secondLayer: wanted }),
});
let dir: string;
let server: Awaited<ReturnType<typeof start>>;
/** Documents by their names, and where they lie. */
const sealed = new Map<string, string>();
/** Several frames. */
const text = (name: string) => `${name} `.repeat(100_000);

/** The app-specific key and the documents lie in a folder, over every restart. */
async function start() {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const appKey = () => openAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  const client: Client = await connect({
    app,
    vault,
    rootKey: running.rootKey,
    user: "server",
    instance: { appKey },
  });
  const { port } = await client.microservice.use();
  const account = client.account();
  const context = (document: string) => ({
    ...{ tenant: client.identity.tenant, account, document, purpose: "document" },
  });
  return {
    ...{ client, port, account, context },
    async seal(name: string) {
      const stream = port.seal({ context: context(name) }, new Blob([text(name)]));
      await writeFile(join(dir, name), Buffer.from(await new Response(stream).arrayBuffer()));
      sealed.set(name, join(dir, name));
    },
    open: async (name: string, bytes?: Uint8Array<ArrayBuffer>) => {
      const stored = bytes ?? new Uint8Array(await readFile(join(dir, name)));
      return new Response(port.open({ context: context(name) }, new Blob([stored]))).text();
    },
  };
}

async function again(layer: SecondLayer | undefined) {
  server.client.close();
  wanted = layer;
  await system.restart();
  server = await start();
}

async function stored(name: string) {
  const bytes = new Uint8Array(await readFile(join(dir, name)));
  const header = parseHeader(bytes)!;
  const { payload } = jwsParts(new TextDecoder().decode(header.encryptedDataKeys[0]!.encryptedDataKey));
  return { bytes, header, edk: JSON.parse(new TextDecoder().decode(payload)) as Edk };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-second-layer-"));
  server = await start();
});
afterAll(async () => {
  server?.client.close();
  await rm(dir, { recursive: true });
});

it("W14 seals with each layer, opens after a restart, and whatever is wanted by then", async () => {
  await server.seal("none");
  for (const layer of ["data-key", "content", "both"] as const) {
    await again(layer);
    await server.seal(layer);
    const { header, edk } = await stored(layer);
    expect([layer, header.layer !== undefined]).toEqual([layer, layer !== "data-key"]);
    // A key that has the layer keeps it, though none is wanted for the next document.
    expect(edk.layer).toEqual({ masterKey: expect.any(String) });
    for (const name of sealed.keys()) await expect(server.open(name)).resolves.toBe(text(name));
  }
  expect((await stored("none")).edk.layer).toBeUndefined();
  await again(undefined);
  for (const name of sealed.keys()) await expect(server.open(name)).resolves.toBe(text(name));
  await server.seal("none again");
  expect((await stored("none again")).header.layer).toBeUndefined();
});

it("W14 reads a part of a document that is encrypted twice by the frames that hold it", async () => {
  const { bytes, header } = await stored("both");
  const excerpt = { offset: 300_000, length: 12_345, size: bytes.length };
  const { offset, length } = excerptOf(header, excerpt);
  expect(length).toBeLessThan(bytes.length / 2);
  const cut = new Blob([bytes.slice(0, header.length), bytes.slice(offset, offset + length)]);
  const part = server.port.open({ context: server.context("both"), excerpt }, cut);
  const { offset: from } = excerpt;
  expect(await new Response(part).text()).toBe(text("both").slice(from, from + excerpt.length));
});

it("W14 refuses a document whose layer was stripped, renamed, or altered", async () => {
  const { bytes, header } = await stored("both");
  const [own, layer] = header.encryptedDataKeys as [Entry, Entry];
  type Entry = (typeof header.encryptedDataKeys)[number];
  const body = (encryptedDataKeys: Entry[]) =>
    concat(serialiseHeader({ ...header, encryptedDataKeys }).body, bytes.slice(header.body.length));
  const other = { ...layer, providerInfo: new TextEncoder().encode("another-master-key") };
  const flipped = bytes.slice();
  flipped[flipped.length - 1]! ^= 1;
  for (const forged of [body([own]), body([own, other]), flipped])
    await expect(server.open("both", forged)).rejects.toMatchObject({ code: "decrypt-failed" });
  await expect(server.open("both")).resolves.toBe(text("both"));
});

it("W14 opens what is under a layer of the master key that was replaced, and seals under the new one", async () => {
  await again("both");
  const officer = await hsmClient(system, IDENTITY.officer);
  const { successor, replaced } = await rotateMasterKey(officer, "development", new Date());
  officer.close();
  await again("both");
  for (const name of sealed.keys()) await expect(server.open(name)).resolves.toBe(text(name));
  await server.seal("after");
  const { header, edk } = await stored("after");
  expect([header.layer, edk.layer]).toEqual([successor, { masterKey: successor }]);
  expect((await stored("both")).header.layer).toBe(replaced);
  await expect(server.open("after")).resolves.toBe(text("after"));
});

it("W14 gives no instance a master key that is none of its tenant's, and takes no layer for another version or key", async () => {
  const custodian = await EdgeClient.signedIn(system, "someone");
  const instance = await InstanceClient.ready(custodian);
  const challenge = encodeBase64url(new Uint8Array(32));
  const asked = await instance.rest("POST", "/instances/master-key", { challenge, id: "no-such-key" });
  expect([asked.status, json<{ code: string }>(asked).code]).toEqual([404, "not-found"]);
  const path = `/instances/accounts/${instance.account}`;
  const { id, master } = json<{ id: string; master: string }>(await instance.rest("GET", `${path}/key`));
  await instance.rest("POST", "/instances/key-identifiers", {
    account: instance.account,
    purpose: "document",
  });
  const renew = async (length: number, layer?: { masterKey: string; keyVersion: number }) => {
    const wrappedKey = encodeBase64url(crypto.getRandomValues(new Uint8Array(length)));
    const made = await instance.vouched({ wrappedKey, accountKey: id, ...(layer && { layer }) });
    const answer = await instance.rest("POST", `${path}/data-keys`, { purpose: "document", made });
    return answer.status === 201 ? 201 : json<{ code: string }>(answer).code;
  };
  expect(await renew(68)).toBe("hsm-refused");
  expect(await renew(40, { masterKey: master, keyVersion: 2 })).toBe("hsm-refused");
  expect(await renew(68, { masterKey: master, keyVersion: 3 })).toBe("conflict");
  expect(await renew(68, { masterKey: "another", keyVersion: 2 })).toBe("conflict");
  expect(await renew(69, { masterKey: master, keyVersion: 2 })).toBe("hsm-refused");
  expect(await renew(3043, { masterKey: master, keyVersion: 2 })).toBe("bad-request");
  expect(await renew(68, { masterKey: master, keyVersion: 2 })).toBe(201);
});

it("W14 refuses a layer for a tenant whose instances have no master key", () => {
  const entry = { vault: "https://vault.acme.example", apps: ["https://app.acme.example"] };
  const table = (level: string) => ({ acme: { ...entry, level, secondLayer: "both" } });
  expect(readTenants(table("master"), true).byName.get("acme")).toMatchObject({ secondLayer: "both" });
  for (const level of ["data", "account"])
    expect(() => readTenants(table(level), true)).toThrow(
      `acme: secondLayer is put on by the master key, which no instance has at level ${level}`,
    );
  expect(() => readTenants({ acme: { ...entry, level: "master", secondLayer: "all" } }, true)).toThrow(
    "acme",
  );
});
