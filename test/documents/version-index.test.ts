/** A datastore that hides, swaps, duplicates or rolls back documents, for a device that has listed them before and for a new one. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { digest } from "#protocol/digest.ts";
import { codeOf } from "#protocol/error.ts";
import { messageOf } from "#web/client/error.ts";
import { encodeMetadata } from "#web/client/metadata.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { readStored, replaceStored } from "./bucket.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const system = useSystem();
type Client = Awaited<ReturnType<typeof connectNode>>;
type Answer = Record<string, unknown>;
const text = (words: string) => new TextEncoder().encode(words);

/** What a device is told in place of what the edge has answered, by method and path; undefined for as it is. */
type Lie = (asked: string, answer: () => Promise<Answer>) => Promise<Response | undefined> | undefined;

const devices: Client[] = [];
afterAll(() => devices.forEach((each) => void each.close()));
let ada: Client;
let account: string;
let lie: Lie | undefined;
const asked: string[] = [];

const lying: typeof fetch = async (input, init) => {
  const { pathname, search } = new URL(String(input));
  const request = `${init?.method ?? "GET"} ${pathname}`;
  asked.push(request + search);
  let real: Promise<Response> | undefined;
  const answer = async () => {
    real ??= loopbackFetch(input, init);
    return (await real).clone().json() as Promise<Answer>;
  };
  return (await lie?.(request, answer)) ?? (await real) ?? loopbackFetch(input, init);
};

/** A new device of Ada's. */
async function device(): Promise<Client> {
  const made = await connectNode(system, "Ada", lying);
  devices.push(made);
  return made;
}

beforeAll(async () => {
  ada = await device();
  account = ada.identity.accounts[0]!.id;
});

const seal = (name: string, by = ada) => by.documents.seal(text(`${name}, whole`), account, { name });
/** What a person sees of the list: a name or the sentence in its place, and what is amiss. */
async function seen(by: Client) {
  const documents = await by.documents.list([account]);
  return new Map(
    documents.map(({ id, metadata, state, error }) => [
      id,
      { name: metadata?.name, state, code: error === undefined ? undefined : codeOf(error), error },
    ]),
  );
}
async function amiss(by: Client) {
  return [...(await seen(by))].flatMap(([id, { state, code }]) => (state ? [{ id, state, code }] : []));
}
/** A device that has listed all, and one that comes to see what it is served now. */
async function both(): Promise<[known: Client, fresh: Client]> {
  const known = await device();
  expect(await amiss(known)).toEqual([]);
  return [known, await device()];
}
const rowsOf = (table: string) => readRows(system.edgeDir, table);
const change = (table: string, sql: string) => changeRows(system.edgeDir, table, sql);

it("notices a document that the datastore hides, on a device that knew it and on a new one", async () => {
  const { id } = await seal("hidden.txt");
  await seal("seen.txt");
  const [known, fresh] = await both();
  expect(change("documents", `UPDATE documents SET client = 'hidden' WHERE id = '${id}'`)).toBe(1);
  for (const each of [known, fresh]) {
    expect(await amiss(each)).toEqual([{ id, state: "hidden", code: "document-hidden" }]);
    expect(messageOf((await seen(each)).get(id)!.error)).toContain("nobody has deleted it");
  }
  const shown = rowsOf("documents").find((row) => row.id !== id)!.client as string;
  change("documents", `UPDATE documents SET client = '${shown}' WHERE id = '${id}'`);
  expect(await amiss(known)).toEqual([]);
  // Deleted by somebody, it is not hidden.
  await ada.documents.remove(id, { account });
  for (const each of [known, fresh]) expect((await seen(each)).has(id)).toBe(false);
});

it("notices a page of the list that is left out, whoever else adds and deletes meanwhile", async () => {
  const [known, fresh] = await both();
  const victim = await seal("left-out.txt");
  let other: string | undefined;
  lie = (request, answer) =>
    request === `GET /accounts/${account}/documents`
      ? answer().then(async ({ documents, ...page }) => {
          // Sealed after the list was read: in the index then, and not in this page.
          other ??= (await seal("beside.txt")).id;
          const left = (documents as { id: string }[]).filter(({ id }) => id !== victim.id);
          return Response.json({ ...page, documents: left });
        })
      : undefined;
  for (const each of [known, fresh])
    expect(await amiss(each)).toEqual([{ id: victim.id, state: "hidden", code: "document-hidden" }]);
  lie = undefined;
  expect((await seen(known)).get(other!)).toMatchObject({ name: "beside.txt", state: undefined });
});

it("notices that metadata is an earlier state, and that two documents are swapped", async () => {
  const [one, two] = [await seal("one-1.txt"), await seal("two-1.txt")];
  const [first, second] = [one, two].map(({ id }) => readStored(system.edgeDir, id, "metadata"));
  // Another name, as a later state of the document.
  const edge = await EdgeClient.signedIn(system, "Ada");
  const { port } = await ada.microservice.use();
  const edk = await ada.documents.keyOf(one.id, { account });
  const context = { tenant: ada.identity.tenant, account, document: one.id, purpose: "metadata" };
  const [row] = rowsOf("document_versions").filter(({ document }) => document === one.id);
  const content = { messageId: String(row!.message_id), headerDigest: String(row!.header_digest) };
  const metadata = { name: "one-2.txt", type: "text/plain", size: one.metadata!.size, content };
  const later = await bytesOf(port.seal({ edk, context }, encodeMetadata(metadata)));
  expect((await edge.rest("PUT", `/accounts/${account}/documents/${one.id}/metadata`, later)).status).toBe(
    204,
  );
  const version = { document: one.id, version: 2, ...content, metadataDigest: await digest(later) };
  const put = await edge.rest("POST", `/kms/accounts/${account}/document-versions`, { rows: [version] });
  expect(json<{ conflicts: unknown[] }>(put).conflicts).toEqual([]);

  const [known, fresh] = await both();
  const open = (by: Client, id: string) => by.documents.open(id, { account });
  replaceStored(system.edgeDir, one.id, "metadata", first!);
  await seen(fresh);
  for (const each of [known, fresh])
    await expect(open(each, one.id)).rejects.toMatchObject({ code: "document-changed" });
  replaceStored(system.edgeDir, one.id, "metadata", later);
  expect((await open(fresh, one.id)).name).toBe("one-2.txt");

  // A document in the place of another opens on no device.
  const contents = [one, two].map(({ id }) => readStored(system.edgeDir, id, "content"));
  replaceStored(system.edgeDir, one.id, "content", contents[1]!);
  replaceStored(system.edgeDir, two.id, "metadata", second!);
  for (const each of [known, fresh])
    await expect(open(each, one.id)).rejects.toMatchObject({ code: "decrypt-failed" });
  replaceStored(system.edgeDir, one.id, "content", contents[0]!);
});

it("notices in the vault that a content is not the one that stands, whatever the page does not look at", async () => {
  const { id } = await seal("inside.txt");
  const [known] = await both();
  const { port } = await known.microservice.use();
  const content = readStored(system.edgeDir, id, "content");
  const context = { tenant: known.identity.tenant, account, document: id, purpose: "document" };
  await known.documents.open(id, { account });
  expect(new TextDecoder().decode(await bytesOf(port.open({ context }, new Uint8Array(content))))).toBe(
    "inside.txt, whole",
  );
  // Sealed under the same key and context, it is genuine, and not what stands.
  const edk = await known.documents.keyOf(id, { account });
  const other = await bytesOf(port.seal({ edk, context }, text("another")));
  await expect(bytesOf(port.open({ context }, other))).rejects.toMatchObject({ code: "document-changed" });
  await known.documents.remove(id, { account });
  await seen(known);
  await expect(bytesOf(port.open({ context }, new Uint8Array(content)))).rejects.toMatchObject({
    code: "document-deleted",
  });
});

it("notices documents that are listed twice, that are given another id, and that come back after they were deleted", async () => {
  const { id } = await seal("twice.txt");
  const [known, fresh] = await both();
  const listing = `GET /accounts/${account}/documents`;
  lie = (request, answer) =>
    request === listing
      ? answer().then(({ documents, ...page }) => {
          const all = documents as { id: string }[];
          return Response.json({ ...page, documents: [...all, all.find((each) => each.id === id)] });
        })
      : undefined;
  for (const each of [known, fresh])
    await expect(seen(each)).rejects.toMatchObject({ code: "unexpected-response" });

  const copy = crypto.randomUUID();
  lie = (request, answer) => {
    if (request === listing)
      return answer().then(({ documents, ...page }) => {
        const all = documents as { id: string }[];
        return Response.json({
          ...page,
          documents: [...all, { ...all.find((each) => each.id === id), id: copy }],
        });
      });
    const at = `GET /accounts/${account}/documents/${copy}/`;
    if (!request.startsWith(at)) return undefined;
    const what = request.slice(at.length) as "content" | "metadata";
    const headers = { "content-type": "application/octet-stream" };
    return Promise.resolve(new Response(new Uint8Array(readStored(system.edgeDir, id, what)), { headers }));
  };
  for (const each of [known, fresh])
    expect((await seen(each)).get(copy)).toMatchObject({
      name: undefined,
      state: "unfinished",
      code: "decrypt-failed",
    });

  // Deleted, it is served as it was.
  lie = undefined;
  const kept = {
    content: new Uint8Array(readStored(system.edgeDir, id, "content")),
    metadata: new Uint8Array(readStored(system.edgeDir, id, "metadata")),
  };
  const page = json<{ documents: { id: string }[]; keys: string[] }>(
    await (await EdgeClient.signedIn(system, "Ada")).rest("GET", `/accounts/${account}/documents`),
  );
  await ada.documents.remove(id, { account });
  lie = (request) => {
    if (request === listing) return Promise.resolve(Response.json(page));
    const at = `GET /accounts/${account}/documents/${id}/`;
    if (!request.startsWith(at)) return undefined;
    const headers = { "content-type": "application/octet-stream" };
    return Promise.resolve(
      new Response(kept[request.slice(at.length) as "content" | "metadata"], { headers }),
    );
  };
  for (const each of [known, fresh]) {
    expect((await seen(each)).get(id)).toMatchObject({ state: "deleted", code: "document-deleted" });
    await expect(each.documents.open(id, { account })).rejects.toMatchObject({
      code: "document-deleted",
    });
  }
  lie = undefined;
});

it("notices KMS and datastore that go back together, where a device has seen later; a new one cannot know", async () => {
  const kept = ["version_indexes", "document_versions", "version_buckets"].map((table) => ({
    table,
    rows: rowsOf(table),
  }));
  const { id } = await seal("undone.txt");
  const [known, fresh] = await both();
  const restore = () => {
    for (const { table, rows } of kept) {
      change(table, `DELETE FROM ${table}`);
      for (const row of rows) change(table, insertOf(table, row));
    }
  };
  const later = rowsOf("version_indexes").find(({ sequence }) => Number(sequence) > 0)!;
  restore();
  expect(change("documents", `UPDATE documents SET client = 'undone' WHERE id = '${id}'`)).toBe(1);
  await expect(seen(known)).rejects.toMatchObject({
    code: "index-superseded",
    message: expect.stringContaining("an earlier one than this browser has seen"),
  });
  expect((await seen(fresh)).has(id)).toBe(false);
  expect(await amiss(fresh)).toEqual([]);
  expect(Number(later.sequence)).toBeGreaterThan(0);
});

function insertOf(table: string, row: Record<string, unknown>): string {
  const literal = (value: unknown) =>
    value === null ? "NULL" : typeof value === "string" ? `'${value}'` : String(value);
  return `INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.values(row).map(literal).join()})`;
}
