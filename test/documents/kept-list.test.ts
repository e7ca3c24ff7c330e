/** A list that was read before: what it is begun with, what is asked for then, and what becomes of one that was put in its place. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import type { Document, ListStore } from "#web/client/index.ts";
import { changeRows, useSystem } from "../system/index.ts";
import { connectNode } from "./node-client.ts";

const system = useSystem({ vars: { COFFER_REQUESTS_PER_TEN_SECONDS: "100000" } });
type Client = Awaited<ReturnType<typeof connectNode>>;
const text = (words: string) => new TextEncoder().encode(words);
const opened: Client[] = [];
afterAll(() => opened.forEach((each) => void each.close()));

/** More than are listed each time. */
const OLD = 55;
let account: string;
let writer: Client;
const olds: Document[] = [];

/** Sealed messages by account, as a browser keeps them. */
function memory(): ListStore & { kept: Map<string, Uint8Array<ArrayBuffer>> } {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    kept,
    read: async (name) => kept.get(name),
    async write(name, bytes) {
      const made = await bytes();
      if (made) kept.set(name, made);
    },
    alone: (_name, work) => work(),
  };
}

async function device(store?: ListStore) {
  const asked: string[] = [];
  const recording: typeof fetch = async (input, init) => {
    const { pathname, search } = new URL(String(input));
    if ((init?.method ?? "GET") === "GET") asked.push(pathname + search);
    return loopbackFetch(input, init);
  };
  const client = await connectNode(system, "Ada", recording, store && { lists: async () => store });
  opened.push(client);
  /** What was asked for of the list and of documents since. */
  const lists = () =>
    asked
      .splice(0)
      .filter((each) => each.startsWith("/accounts/") && each.includes("/documents"))
      .map((each) => each.slice(each.indexOf("/documents")));
  return { client, lists };
}
const seal = (name: string, by = writer) => by.documents.seal(text(name), account, { name });
const namesOf = (documents: readonly Document[]) => documents.map(({ metadata }) => metadata?.name).sort();
const list = async (by: Client) => namesOf(await by.documents.list([account]));
const NEWEST = "/documents?limit=50";

beforeAll(async () => {
  writer = await connectNode(system, "Ada");
  opened.push(writer);
  account = writer.account();
  for (let at = 0; at < OLD; at++) olds.push(await seal(`old ${at}.txt`));
  await writer.documents.list([account]);
}, 300_000);

it("asks for what has changed since, and for no page of the rest", async () => {
  const { client, lists } = await device();
  const before = await list(client);
  // The index is founded by the first list that there was.
  await expect.poll(async () => (await list(client)) && lists().at(-1)).toBe(NEWEST);
  expect(lists()).toEqual([]);

  const fresh = await seal("fresh.txt");
  const gone = olds[0]!;
  await writer.documents.remove(gone.id, { account, days: 1 });
  expect(await list(client)).toEqual([...before.filter((name) => name !== "old 0.txt"), "fresh.txt"].sort());
  expect(lists()).toEqual([NEWEST]);
  // Among the oldest again: nothing but its row is asked for.
  await writer.documents.restore(gone.id, { account });
  await writer.documents.remove(fresh.id, { account });
  expect(await list(client)).toEqual(before);
  expect(lists()).toEqual([NEWEST, `/documents?ids=${gone.id}`]);
});

it("shows after a reload what was listed before, and asks for what has changed", async () => {
  const store = memory();
  const before = await list((await device(store)).client);
  await expect.poll(() => store.kept.size, { timeout: 30_000 }).toBe(1);
  const kept = new TextDecoder("latin1").decode(store.kept.get(account));
  for (const name of ["old 1.txt", "text/plain"]) expect(kept).not.toContain(name);

  const { client, lists } = await device(store);
  const shown: string[][] = [];
  const onChange = (documents: readonly Document[]) => void shown.push(namesOf(documents) as string[]);
  expect(namesOf(await client.documents.list([account], { onChange }))).toEqual(before);
  expect(shown[0]).toEqual(before);
  expect(lists()).toEqual([NEWEST]);
  // What is opened is opened by its own metadata.
  const { stream } = await client.documents.open(olds[1]!.id, { account });
  expect(await new Response(stream).text()).toBe("old 1.txt");
});

it("keeps what this device itself has sealed, which no later list finds new", async () => {
  const store = memory();
  await list((await device(store)).client);
  await expect.poll(() => store.kept.size, { timeout: 30_000 }).toBe(1);
  const { client } = await device(store);
  await list(client);
  const earlier = store.kept.get(account);
  const { id } = await seal("own.txt", client);
  const before = await list(client);
  const listed = async () => (await list(client)) && store.kept.get(account) !== earlier;
  await expect.poll(listed, { timeout: 60_000, interval: 1000 }).toBe(true);

  const { client: next } = await device(store);
  const shown: string[][] = [];
  const onChange = (documents: readonly Document[]) => void shown.push(namesOf(documents) as string[]);
  await next.documents.list([account], { onChange });
  expect(shown[0]).toEqual(before);
  await client.documents.remove(id, { account });
});

it("lists anew where what was kept is altered, another's, or of another account, and says nothing of it", async () => {
  const store = memory();
  const before = await list((await device(store)).client);
  await expect.poll(() => store.kept.size, { timeout: 30_000 }).toBe(1);
  const message = store.kept.get(account)!;

  const altered = message.slice();
  altered[altered.length - 40]! ^= 1;
  // Another account of the same person, whose key this device is given as well.
  const { id: second } = await writer.life.create("Second");
  await writer.documents.seal(text("elsewhere"), second, { name: "elsewhere.txt" });
  const elsewhere = memory();
  const { client: other } = await device(elsewhere);
  // Its index is founded by the first list that there is.
  await expect
    .poll(async () => (await other.documents.list([second])) && elsewhere.kept.size, { timeout: 60_000 })
    .toBe(1);

  for (const bytes of [altered, elsewhere.kept.get(second)!, message.slice(0, 300), text("not a message")]) {
    // One of its own: the device before may still be keeping what it has listed.
    const other = memory();
    other.kept.set(account, bytes);
    const { client, lists } = await device(other);
    const shown: unknown[] = [];
    const onChange = (documents: readonly Document[]) => void shown.push(namesOf(documents));
    expect(namesOf(await client.documents.list([account], { onChange }))).toEqual(before);
    expect(shown[0]).not.toEqual(before);
    expect(lists()[0]).toBe("/documents");
  }
});

it("is no way to an earlier state: what was rolled back is brought up to what stands", async () => {
  const store = memory();
  const before = await list((await device(store)).client);
  await expect.poll(() => store.kept.size, { timeout: 30_000 }).toBe(1);
  const earlier = store.kept.get(account)!;
  const gone = await seal("gone.txt");
  await writer.documents.remove(gone.id, { account });
  await writer.documents.remove(olds[2]!.id, { account });
  store.kept.set(account, earlier);
  const { client } = await device(store);
  expect(await list(client)).toEqual(before.filter((name) => name !== "old 2.txt"));
});

it("says of the newest documents what the datastore hides of them, and of one without a row that it is unfinished", async () => {
  const { client } = await device();
  await list(client);
  const { id } = await seal("hidden soon.txt");
  await list(client);
  const hide = (as: string) =>
    changeRows(system.edgeDir, "documents", `UPDATE documents SET client = '${as}' WHERE id = '${id}'`);
  expect(hide("hidden")).toBe(1);
  const states = async () =>
    (await client.documents.list([account])).flatMap(({ id, state }) => (state ? [{ id, state }] : []));
  expect(await states()).toEqual([{ id, state: "hidden" }]);
  expect(hide("page")).toBe(1);
  expect(await states()).toEqual([]);
});
