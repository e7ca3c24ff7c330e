/** The list of documents: names from copies under one key, whatever the datastore does with them. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { codeOf } from "#protocol/error.ts";
import { createDocumentId } from "#web/client/belonging.ts";
import { openListed, sealListed } from "#web/client/listing.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { connectNode } from "./node-client.ts";

const system = useSystem();
type Client = Awaited<ReturnType<typeof connectNode>>;
let client: Client;
let account: string;
const text = (words: string) => new TextEncoder().encode(words);
const opened: Client[] = [];
afterAll(() => opened.forEach((each) => void each.close()));

/** A new device of Ada's, with what it asks for. */
async function device(): Promise<{ client: Client; asked: string[] }> {
  const asked: string[] = [];
  const recording: typeof fetch = async (input, init) => {
    asked.push(`${init?.method ?? "GET"} ${new URL(String(input)).pathname}`);
    return loopbackFetch(input, init);
  };
  const made = await connectNode(system, "Ada", recording);
  opened.push(made);
  asked.length = 0;
  return { client: made, asked };
}

async function list(of: Client): Promise<Map<string, { name: string | undefined; key: unknown }>> {
  const documents = await of.documents.list([account]);
  return new Map(documents.map(({ id, metadata, key }) => [id, { name: metadata?.name, key }]));
}

const names = async (of: Client) => [...(await list(of)).values()].map(({ name }) => name).sort();
const copies = () => readRows(system.edgeDir, "documents").filter(({ listed }) => listed !== null).length;

const ids: Record<string, string> = {};
beforeAll(async () => {
  client = await connectNode(system, "Ada");
  opened.push(client);
  account = client.identity.accounts[0]!.id;
  for (const name of ["plan.txt", "rent.txt", "will.txt"])
    ids[name] = (await client.documents.seal(text(name), account, { name })).id;
});

it("gives a new device all names by one request a page and one for their key, and none for a document", async () => {
  const before = await list(client);
  const { client: other, asked } = await device();
  expect(await list(other)).toEqual(before);
  expect([...before.values()].every(({ key }) => key !== undefined)).toBe(true);
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([]);
  expect(asked.filter((each) => each === `GET /accounts/${account}/documents`)).toHaveLength(1);
  // All are under one key, which is none of theirs.
  expect(new Set(readRows(system.edgeDir, "documents").map(({ listed_key }) => listed_key)).size).toBe(1);
  const keys = readRows(system.edgeDir, "data_keys").filter(({ purpose }) => purpose === "metadata");
  expect(keys).toHaveLength(1);
  expect([...before.values()].map(({ key }) => (key as { id: string }).id)).not.toContain(keys[0]!.id);
  const { stream } = await other.documents.open(ids["plan.txt"]!, { account });
  expect(await new Response(stream).text()).toBe("plan.txt");
});

it("has a copy of the name of a document that goes up in parts as well", async () => {
  const name = "long.bin";
  const { id } = await client.documents.seal(new Uint8Array(200_000), account, { name });
  const { client: other, asked } = await device();
  expect((await list(other)).get(id)?.name).toBe(name);
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([]);
  await client.documents.remove(id, { account });
});

it("keeps nothing of a name where the datastore can read it", () => {
  const rows = readRows(system.edgeDir, "documents");
  expect(rows).toHaveLength(3);
  const stored = Buffer.concat(rows.map(({ listed }) => Buffer.from(listed as Uint8Array))).toString(
    "latin1",
  );
  for (const name of ["plan.txt", "rent.txt", "will.txt"]) expect(stored).not.toContain(name);
  // Longer and shorter names have copies of one length.
  expect(new Set(rows.map(({ listed }) => (listed as Uint8Array).length)).size).toBe(1);
});

it("shows no document under the name of another: a copy opens at its own place, and else its metadata is read", async () => {
  const [plan, rent] = [ids["plan.txt"]!, ids["rent.txt"]!];
  const kept = `SELECT listed FROM documents WHERE id = '${rent}'`;
  expect(
    changeRows(system.edgeDir, "documents", `UPDATE documents SET listed = (${kept}) WHERE id = '${plan}'`),
  ).toBe(1);
  const { client: other, asked } = await device();
  expect((await list(other)).get(plan)?.name).toBe("plan.txt");
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([
    `GET /accounts/${account}/documents/${plan}/metadata`,
  ]);
});

it("reads names of documents of an earlier release from their metadata, and has copies of them from then on", async () => {
  changeRows(system.edgeDir, "documents", "UPDATE documents SET listed = NULL, listed_key = NULL");
  const { client: first } = await device();
  expect(await names(first)).toEqual(["plan.txt", "rent.txt", "will.txt"]);
  await expect.poll(copies).toBe(3);
  const { client: second, asked } = await device();
  expect(await list(second)).toEqual(await list(first));
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([]);
});

it("has one metadata key however many ask at once, and another after the account's key is another, or it is disabled", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const path = `/kms/accounts/${account}/metadata-key`;
  const ask = async () => json<{ edk: string }>(await ada.rest("POST", path)).edk;
  const made = () =>
    readRows(system.edgeDir, "data_keys").filter(
      (row) => row.account === account && row.purpose === "metadata",
    );
  await client.life.rotateKey(account);
  const asked = await Promise.all(Array.from({ length: 20 }, ask));
  expect(new Set(asked).size).toBe(1);
  expect(
    made()
      .map(({ account_key_version }) => account_key_version)
      .sort(),
  ).toEqual([1, 2]);
  await client.documents.seal(text("later.txt"), account, { name: "later.txt" });
  const { client: other, asked: requests } = await device();
  expect(await names(other)).toEqual(["later.txt", "plan.txt", "rent.txt", "will.txt"]);
  expect(requests.filter((each) => each.endsWith("/metadata"))).toEqual([]);
  const [key] = made().filter(({ account_key_version }) => account_key_version === 2);
  const named = `/kms/accounts/${account}/keys/${key!.id}.${key!.version}`;
  expect((await ada.rest("PUT", named, { state: "disabled" })).status).toBe(200);
  expect(asked).not.toContain(await ask());
  // What is under it is not listed by it any more, for a device that has not loaded it.
  expect(await names((await device()).client)).toEqual(["later.txt", "plan.txt", "rent.txt", "will.txt"]);
  const bob = await EdgeClient.signedIn(system, "Bob");
  expect(problem(await bob.rest("POST", path))).toBe("403 forbidden");
});

it("takes copies of documents that are the account's and the app's, of a bounded size and under few keys", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const put = (edk: string, documents: object[], of = account) =>
    ada.rest("PUT", `/accounts/${of}/listed-metadata`, { edk, documents });
  const sealed = "AAAA";
  const listed = () => readRows(system.edgeDir, "documents").map((row) => [row.id, String(row.listed)]);
  const { edk } = json<{ edk: string }>(await ada.rest("POST", `/kms/accounts/${account}/metadata-key`));
  expect((await put(edk, [{ id: ids["plan.txt"]!, sealed }])).status).toBe(204);
  const before = listed();
  // A copy that stands under this key stays.
  expect((await put(edk, [{ id: ids["plan.txt"]!, sealed: "BBBB" }])).status).toBe(204);
  expect((await put("a.b.c", [{ id: crypto.randomUUID(), sealed }])).status).toBe(204);
  expect(listed()).toEqual(before);
  expect(problem(await put(edk, [{ id: ids["plan.txt"]!, sealed: "A".repeat(2800) }]))).toBe(
    "400 bad-request",
  );
  const many = Array.from({ length: 101 }, () => ({ id: crypto.randomUUID(), sealed }));
  expect(problem(await put(edk, many))).toBe("400 bad-request");
  const bob = await EdgeClient.signedIn(system, "Bob");
  const foreign = `/accounts/${account}/listed-metadata`;
  const theirs = { edk, documents: [{ id: ids["plan.txt"]!, sealed }] };
  expect(problem(await bob.rest("PUT", foreign, theirs))).toBe("403 forbidden");

  const keys = Array.from({ length: 40 }, (_, at) => `a.b.c${at}`);
  for (const [at, key] of keys.entries()) {
    const id = Object.values(ids)[at % 3];
    expect((await put(key, [{ id: id!, sealed }])).status).toBe(204);
  }
  expect(readRows(system.edgeDir, "listed_keys").length).toBeLessThanOrEqual(32);
  // What does not open is read from the document's own metadata, and mended.
  const { client: other } = await device();
  expect(await names(other)).toEqual(["later.txt", "plan.txt", "rent.txt", "will.txt"]);
});

it("stores a short document by one request, and answers the same request again as the first time", async () => {
  const { client: other, asked } = await device();
  const { id } = await other.documents.seal(text("short"), account, { name: "short.txt" });
  expect(asked.filter((each) => /^(POST|PUT|DELETE) \/accounts\//.test(each))).toEqual([
    `PUT /accounts/${account}/documents/${id}`,
  ]);
  const { stream } = await client.documents.open(id, { account });
  expect(await new Response(stream).text()).toBe("short");
  const empty = await other.documents.seal(new Uint8Array(), account, { name: "empty" });
  const nothing = await client.documents.open(empty.id, { account });
  expect(await new Response(nothing.stream).text()).toBe("");

  const ada = await EdgeClient.signedIn(system, "Ada");
  const whole = { content: "AAAA", metadata: "BBBB" };
  const path = `/accounts/${account}/documents/${createDocumentId()}`;
  const put = (body: object, at = path) => ada.rest("PUT", at, body);
  const answers = await Promise.all(Array.from({ length: 5 }, () => put(whole)));
  expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(201));
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  // Under this id there is this document and no other.
  expect(problem(await put({ ...whole, content: "AAAB" }))).toBe("409 conflict");
  expect(problem(await put({ ...whole, metadata: "AAAB" }))).toBe("409 conflict");
  const content = await ada.rest("GET", `${path}/content`);
  expect(Buffer.from(content.bytes).toString("base64url")).toBe("AAAA");
  const long = Buffer.alloc((256 << 10) + 1).toString("base64url");
  expect(problem(await put({ ...whole, content: long }, `${path.slice(0, -1)}0`))).toBe("400 bad-request");
  const bob = await EdgeClient.signedIn(system, "Bob");
  const foreign = `/accounts/${account}/documents/${id}`;
  expect(problem(await bob.rest("PUT", foreign, whole))).toBe("403 forbidden");
  expect((await ada.rest("DELETE", path)).status).toBe(204);
  expect(problem(await ada.rest("GET", `${path}/content`))).toBe("404 not-found");
});

it("has another metadata key once a member has left, and shows no name that is sealed under a key of the member's own choice", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const lee = await connectNode(system, "Lee");
  opened.push(lee);
  const user = lee.identity.user.id;
  const members = `/accounts/${account}/members`;
  expect((await ada.rest("POST", members, { user, role: "member" })).status).toBe(204);
  const current = async () =>
    json<{ edk: string }>(await ada.rest("POST", `/kms/accounts/${account}/metadata-key`)).edk;
  const before = await current();

  // Under a key of documents a copy is one as well, and none that counts.
  const id = ids["plan.txt"]!;
  const [edk = ""] = json<{ edks: string[] }>(
    await ada.rest("POST", "/kms/data-keys", { account, count: 1, purpose: "document" }),
  ).edks;
  await client.keys.ensure(edk);
  const { port } = await client.microservice.use();
  const context = { tenant: client.identity.tenant, account, document: id, purpose: "listing" };
  const content = { messageId: "A".repeat(43), headerDigest: "A".repeat(43) };
  const metadata = { name: "draft.txt", type: "text/plain", size: 8, content };
  const copy = await sealListed(port, { edk, context }, metadata);
  const path = `/accounts/${account}/listed-metadata`;
  const forged = { edk: copy!.edk, documents: [{ id, sealed: copy!.sealed }] };
  expect((await ada.rest("PUT", path, forged)).status).toBe(204);
  expect((await list((await device()).client)).get(id)?.name).toBe("plan.txt");

  expect(await current()).toBe(before);
  expect((await ada.rest("DELETE", `${members}/${user}`)).status).toBe(204);
  await expect.poll(current).not.toBe(before);
});

it("seals the copies again that are under the key which a member has left with, in the background: it opens none of what is listed then", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const current = async () =>
    json<{ edk: string }>(await ada.rest("POST", `/kms/accounts/${account}/metadata-key`)).edk;
  const { client: holder, asked: held } = await device();
  // Of all that is listed, by the key of these copies and no other.
  const under = () => new Set(readRows(system.edgeDir, "documents").map(({ listed_key }) => listed_key));
  const settled = async () => (await list((await device()).client)) && under().size;
  await expect.poll(settled, { timeout: 30_000, interval: 500 }).toBe(1);
  const before = await current();
  await holder.keys.ensure(before);
  const { port } = await holder.microservice.use();
  const openedBy = async (edk: string) => {
    const copies = readRows(system.edgeDir, "documents").map(({ id, listed }) => ({
      context: { tenant: client.identity.tenant, account, document: String(id), purpose: "listing" },
      edk,
      sealed: Buffer.from(listed as Uint8Array).toString("base64url"),
    }));
    const names: (string | undefined)[] = [];
    for await (const some of openListed(port, copies)) names.push(...some.map((copy) => copy?.name));
    return names.sort();
  };
  const all = await names(holder);
  expect(await openedBy(before)).toEqual(all);

  const guest = await connectNode(system, "Kim");
  opened.push(guest);
  const user = guest.identity.user.id;
  const members = `/accounts/${account}/members`;
  expect((await ada.rest("POST", members, { user, role: "member" })).status).toBe(204);
  expect((await ada.rest("DELETE", `${members}/${user}`)).status).toBe(204);
  await expect.poll(current).not.toBe(before);

  const { client: other, asked } = await device();
  expect(await names(other)).toEqual(all);
  await expect.poll(async () => new Set(await openedBy(before))).toEqual(new Set([undefined]));
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([]);
  // All of them in one request, once.
  await names(other);
  expect(asked.filter((each) => each === `PUT /accounts/${account}/listed-metadata`)).toHaveLength(1);
  const { client: next, asked: since } = await device();
  expect(await names(next)).toEqual(all);
  expect(since.filter((each) => /metadata$/.test(each))).toEqual([]);
  // A device that has the earlier key still asks for the current one, and puts none back.
  held.length = 0;
  expect(await names(holder)).toEqual(all);
  const lookedAgain = () => {
    const key = held.indexOf(`POST /kms/accounts/${account}/metadata-key`);
    return key >= 0 && held.indexOf(`GET /accounts/${account}/documents`, key) > 0;
  };
  await expect.poll(lookedAgain).toBe(true);
  expect(await names(holder)).toEqual(all);
  await holder.keys.ensure(await current());
  expect(await openedBy(await current())).toEqual(all);
});

it("a client that was closed starts no other microservice, whatever goes on in its background, so that its process ends", async () => {
  const { client: closing } = await device();
  await closing.microservice.use();
  // Seals copies again, and brings the index up, when it has listed.
  const listed = closing.documents.list([account]);
  closing.close();
  await listed.catch(() => {});
  expect(await closing.microservice.use().then(() => "started", codeOf)).toBe("port-closed");
  expect(closing.microservice.state.phase).not.toBe("ready");
});
