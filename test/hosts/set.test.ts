/** A set of instances of one custodian (M13), each by mutual TLS, called by the package's own client of the contract. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import type { CofferError } from "#protocol/error.ts";
import type { Load } from "#protocol/keys/index.ts";
import { createServiceClient, createServiceSet, type ServiceClient } from "#web/hosts/client/index.ts";
import { listen, serveMicroservice, serviceFetch, type TlsIdentity } from "#web/hosts/node/index.ts";
import { json } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";
import {
  type Authority,
  contextOf,
  custodianOf,
  makeAuthority,
  type NodeCustodian,
  orderKey,
} from "./index.ts";

const system = useSystem();
const dir = mkdtempSync(join(tmpdir(), "coffer-set-"));
const data = encodeBase64url(utf8("a letter"));
let authority: Authority;
let ada: NodeCustodian;
let identity: TlsIdentity;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  [authority, ada] = await Promise.all([makeAuthority(), custodianOf(system, "Ada")]);
  identity = await authority.issue(ada.dn);
});
afterAll(async () => {
  for (const close of closing) await close();
  rmSync(dir, { recursive: true });
});

/** An instance on a socket, enrolled, with what it was asked; `stop` ends it as a crash does. */
async function instanceOf(custodian: NodeCustodian, name: string) {
  const { port, close } = custodian.microservice();
  const place = { socket: join(dir, name) };
  const own = await authority.issue(`CN=${name}`);
  // Whoever is let in: the instance says whom it serves.
  const peers = [ada.dn];
  const serving = await serveMicroservice({ port, custodian: custodian.dn, place, identity: own, peers });
  const transport = serviceFetch(place, identity, `CN=${name}`);
  const asked: string[] = [];
  const counting: typeof fetch = (input, init) => {
    asked.push(new URL(String(input)).pathname);
    return transport.fetch(input, init);
  };
  const client = createServiceClient({ url: "https://microservice", fetch: counting });
  await client.call("enrol", { method: "grant", grant: await askGrant(custodian.client) });
  const stop = async () => {
    transport.close();
    await serving.close();
    close();
  };
  closing.push(stop);
  return { client, asked, stop, place };
}

const loadFrom =
  (custodian: NodeCustodian, edk: string) =>
  async ({ wrappingCertificate: certificate }: { wrappingCertificate: string }) =>
    json<Load>(await custodian.client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate }));

it("M13 M10 works by each in its turn with keys that each has entrusted, and goes on without those that are gone", async () => {
  const instances = await Promise.all(["first", "second", "third"].map((name) => instanceOf(ada, name)));
  const [first, second, third] = instances as [
    (typeof instances)[0],
    (typeof instances)[0],
    (typeof instances)[0],
  ];
  const set = createServiceSet({ custodian: ada.dn, clients: instances.map(({ client }) => client) });
  const ids = (await set.instances()).map(({ id }) => id);
  expect(new Set(ids).size).toBe(3);
  const edk = await orderKey(ada, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
  await set.load(loadFrom(ada, edk));
  const [key] = await set.entrust([edk]);
  expect(Object.keys(key ?? {}).sort()).toEqual([...ids].sort());
  expect(new Set(Object.values(key ?? {})).size).toBe(3);
  const context = contextOf(ada);
  for (const { asked } of instances) asked.length = 0;
  const { message } = await set.operate("encrypt", { key: key!, context, data });
  const opened = () =>
    set.operate("decrypt", { key: key!, context, message }).catch((error: CofferError) => error.code);
  for (let n = 0; n < 5; n++) expect(await opened()).toEqual({ data });
  expect(instances.map(({ asked }) => asked.length)).toEqual([2, 2, 2]);

  await second.stop();
  for (let n = 0; n < 6; n++) expect(await opened()).toEqual({ data });
  // Started again, it has neither certificates nor the key by which the entrusted ones are encrypted.
  const { port } = ada.microservice();
  const own = await authority.issue("CN=second");
  const again = await serveMicroservice({
    port,
    custodian: ada.dn,
    place: second.place,
    identity: own,
    peers: [ada.dn],
  });
  closing.push(() => again.close());
  for (let n = 0; n < 6; n++) expect(await opened()).toEqual({ data });
  await first.stop();
  expect(await opened()).toEqual({ data });
  await third.stop();
  await again.close();
  expect(await opened()).toBe("offline");
});

it("M13 gives no key to an instance of another custodian, and asks no other where the answer is a refusal", async () => {
  const bob = await custodianOf(system, "Bob");
  const [own, other] = await Promise.all([instanceOf(ada, "own"), instanceOf(bob, "other")]);
  const mixed = createServiceSet({ custodian: ada.dn, clients: [other.client, own.client] });
  const edk = await orderKey(ada, "HMAC-SHA256-HKDF-SHA512");
  await expect(mixed.load(loadFrom(ada, edk))).rejects.toMatchObject({ code: "foreign-custodian" });
  await expect(mixed.operate("random", { length: 16 })).rejects.toMatchObject({ code: "foreign-custodian" });
  expect(other.asked.filter((path) => path !== "/instance" && path !== "/enrolments")).toEqual([]);

  const set = createServiceSet({ custodian: ada.dn, clients: [own.client, own.client] });
  await set.load(loadFrom(ada, edk));
  own.asked.length = 0;
  const context = contextOf(ada);
  await expect(set.operate("encrypt", { key: edk, context, data })).rejects.toMatchObject({
    code: "forbidden",
  });
  expect(own.asked).toEqual(["/operations/encrypt"]);
  const missing = await orderKey(ada, "HMAC-SHA256-HKDF-SHA512");
  await expect(set.operate("mac", { key: missing, data })).rejects.toMatchObject({ code: "key-missing" });
  const gone = AbortSignal.abort(new Error("no longer"));
  await expect(set.operate("mac", { key: edk, data }, { signal: gone })).rejects.toThrow("no longer");
});

it("M16 the package's client outlives a party that answers what no answer is", async () => {
  const place = { socket: join(dir, "strange") };
  const own = await authority.issue("CN=strange");
  let status = 204;
  const strange = await listen(place, own, (_, response) => void response.writeHead(status).end());
  closing.push(() => strange.close());
  const { fetch, close } = serviceFetch(place, identity, "CN=strange");
  closing.push(close);
  const client = createServiceClient({ url: "https://microservice", fetch });
  await expect(client.call("describe")).rejects.toMatchObject({ code: "unexpected-response", status: 204 });
  status = 999;
  await expect(client.call("describe")).rejects.toMatchObject({ code: "offline" });
});

it("M16 the package's client streams documents, says what was refused, and speaks to the party it was told of alone", async () => {
  const { client, place } = await instanceOf(ada, "streams");
  const edk = await orderKey(ada, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
  const { instance } = await client.call("describe");
  await client.call("load", await loadFrom(ada, edk)(instance!));
  const context = contextOf(ada);
  const document = new Uint8Array(randomBytes(3_000_000));
  const whole = async (stream: ReadableStream) => new Uint8Array(await new Response(stream).arrayBuffer());
  const sealed = await whole(await client.seal({ key: edk, context }, new Blob([document])));
  expect(await whole(await client.open({ context }, new Blob([sealed]).stream()))).toEqual(document);
  const cut = sealed.slice(0, 2_000_000);
  await expect(client.open({ context }, new Blob([cut])).then(whole)).rejects.toThrow();
  const elsewhere = { ...context, purpose: "else" };
  await expect(client.open({ context: elsewhere }, new Blob([sealed]))).rejects.toMatchObject({
    code: "decrypt-failed",
  });
  const stopped = new AbortController();
  const stream = await client.seal({ key: edk, context }, new Blob([document]), { signal: stopped.signal });
  stopped.abort();
  await expect(whole(stream)).rejects.toThrow();

  const misled = serviceFetch(place, identity, "CN=another");
  const lost: ServiceClient = createServiceClient({ url: "https://microservice", fetch: misled.fetch });
  await expect(lost.call("describe")).rejects.toMatchObject({ code: "offline" });
  misled.close();
});
