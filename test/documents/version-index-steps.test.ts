/** The version index in the course of a document: what was cut off, what an earlier release has left, what is asked for. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { connectNode } from "./node-client.ts";

const system = useSystem();
type Client = Awaited<ReturnType<typeof connectNode>>;
const text = (words: string) => new TextEncoder().encode(words);

const devices: Client[] = [];
afterAll(() => devices.forEach((each) => void each.close()));
let ada: Client;
let account: string;
const asked: string[] = [];
/** Of requests that do not arrive. */
let cut: RegExp | undefined;

const recording: typeof fetch = async (input, init) => {
  const { pathname, search } = new URL(String(input));
  const request = `${init?.method ?? "GET"} ${pathname}`;
  asked.push(request + search);
  if (cut?.test(request)) throw new TypeError("cut off");
  return loopbackFetch(input, init);
};

async function device(name = "Ada"): Promise<Client> {
  const made = await connectNode(system, name, recording);
  devices.push(made);
  return made;
}

beforeAll(async () => {
  ada = await device();
  account = ada.identity.accounts[0]!.id;
});

const seal = (name: string, by = ada) => by.documents.seal(text(name), account, { name });
async function states(by: Client) {
  const documents = await by.documents.list([account]);
  return new Map(documents.map(({ id, metadata, state }) => [id, [metadata?.name, state]]));
}
const rowsOf = (table: string) => readRows(system.edgeDir, table);
const change = (table: string, sql: string) => changeRows(system.edgeDir, table, sql);
const versions = () => rowsOf("document_versions").filter(({ deleted }) => deleted === 0).length;
const founded = () => rowsOf("version_indexes").filter(({ founded }) => founded === 1).length;
const reads = () =>
  asked.filter((request) => request.startsWith(`GET /kms/accounts/${account}/document-versions`));

it("founds the index of an account that is listed for the first time, by one request", async () => {
  expect(await states(ada)).toEqual(new Map());
  await expect.poll(founded).toBe(1);
  asked.length = 0;
  await states(ada);
  expect(asked.filter((request) => request.startsWith("POST"))).toEqual([]);
});

it("asks for what has changed since, and for nothing again", async () => {
  for (let at = 0; at < 3; at++) await seal(`${at}.txt`);
  const other = await device();
  asked.length = 0;
  await states(other);
  expect(reads()).toEqual([`GET /kms/accounts/${account}/document-versions?after=0`]);
  const [{ sequence }] = rowsOf("version_indexes") as [{ sequence: number }];
  const { id } = await seal("later.txt");
  asked.length = 0;
  expect((await states(other)).get(id)).toEqual(["later.txt", undefined]);
  // Nothing is amiss: one request, of one row.
  expect(reads()).toEqual([`GET /kms/accounts/${account}/document-versions?after=${sequence}`]);
});

it("shows a document that was cut off before its row as unfinished, and finishes it", async () => {
  cut = /^POST \/kms\/.*\/document-versions$/;
  const { id, state } = await seal("unfinished.txt");
  cut = undefined;
  expect(state).toBe("unfinished");
  const other = await device();
  for (const each of [ada, other])
    expect((await states(each)).get(id)).toEqual(["unfinished.txt", "unfinished"]);
  await other.documents.finish(id, { account });
  for (const each of [ada, other])
    expect((await states(each)).get(id)).toEqual(["unfinished.txt", undefined]);
  const [row] = rowsOf("document_versions").filter(({ document }) => document === id);
  expect(row).toMatchObject({ version: 1, metadata_digest: expect.stringMatching(/^[\w-]{43}$/) });
  await expect(other.documents.finish(crypto.randomUUID(), { account })).rejects.toMatchObject({
    code: "not-found",
  });
});

it("begins a deletion in the index: cut off after that, the document is told to be deleted and not to be hidden", async () => {
  const { id } = await seal("half-deleted.txt");
  cut = new RegExp(`^DELETE .*${id}$`);
  await expect(ada.documents.remove(id, { account })).rejects.toMatchObject({ code: "offline" });
  cut = undefined;
  expect((await states(await device())).get(id)).toEqual([undefined, "deleted"]);
  await ada.documents.remove(id, { account });
  expect((await states(await device())).has(id)).toBe(false);
  // Without the index nothing is deleted.
  const kept = await seal("kept.txt");
  cut = /^POST \/kms\/.*\/document-versions$/;
  await expect(ada.documents.remove(kept.id, { account })).rejects.toMatchObject({ code: "offline" });
  cut = undefined;
  expect((await states(ada)).get(kept.id)).toEqual(["kept.txt", undefined]);
});

it("takes over documents of an earlier release when they are listed first, whoever may write", async () => {
  const before = await states(ada);
  for (const table of ["document_versions", "version_indexes", "version_buckets"])
    change(table, `DELETE FROM ${table}`);
  const edge = await EdgeClient.signedIn(system, "Ada");
  const rita = await device("Rita");
  const members = `/accounts/${account}/members`;
  const user = rita.identity.user.id;
  expect((await edge.rest("POST", members, { user, role: "reader" })).status).toBe(204);
  // A reader sees them as they are, and takes nothing over.
  expect(await states(rita)).toEqual(before);
  expect(versions()).toBe(0);
  expect(await states(await device())).toEqual(before);
  await expect.poll(founded).toBe(1);
  expect(versions()).toBe(before.size);
  for (const { header_digest, message_id } of rowsOf("document_versions"))
    expect([header_digest, message_id]).toEqual([expect.any(String), expect.any(String)]);
  // From now on a document without a row is unfinished.
  cut = /^POST \/kms\/.*\/document-versions$/;
  const { id } = await seal("by-an-older-program.txt");
  cut = undefined;
  expect((await states(await device())).get(id)).toEqual(["by-an-older-program.txt", "unfinished"]);
});
