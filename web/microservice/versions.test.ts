import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import type { IndexReceipt } from "#protocol/keys/index.ts";
import type { PortClient } from "#protocol/port/index.ts";
import { bucketOf, MAX_ROWS, type VersionRow } from "#protocol/version-index.ts";
import { rootOfRows } from "#test/support/version-index.ts";
import { type Authority, DN, jws, makeAuthority, ORIGIN, START } from "./authority.fixture.ts";
import { lives, TestBrowser } from "./browser.fixture.ts";
import { memoryStore } from "./memory-store.ts";
import type { Store } from "./store.ts";
import { type Owner, Versions } from "./versions.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

let authority: Authority;
let browser: TestBrowser;
let client: PortClient;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(async () => {
  browser = new TestBrowser(authority);
  ({ client } = await browser.enrolledClient());
});

const account = "a-1";
const digestOf = (letter: string) => `${letter.repeat(42)}A`;
const idOf = (at: number) => `00000000-0000-8000-8000-${at.toString(16).padStart(12, "0")}`;
const row = (at: number, version = 1, letter = "a"): VersionRow => ({
  ...{ document: idOf(at), version, messageId: digestOf(letter) },
  ...{ headerDigest: digestOf(letter), metadataDigest: digestOf(letter) },
});

/** As the KMS has it signed, for an index of these rows. */
async function head(
  rows: readonly VersionRow[],
  sequence: number,
  changes: Partial<IndexReceipt> = {},
  by = authority.receiptSigner,
): Promise<string> {
  const iat = START / 1000;
  return jws(by, SIGN_TYPE.receipt, {
    ...{ version: 1, kind: "version-index", tenant: "acme", account, app: ORIGIN },
    ...{ sequence, root: await rootOfRows(rows), founded: true, iat, exp: iat + 300 },
    ...changes,
  } satisfies IndexReceipt);
}
async function ownerOf(): Promise<Owner> {
  const [, payload = ""] = (await authority.trustList(2)).split(".");
  const trust = JSON.parse(Buffer.from(payload, "base64url").toString());
  return { origin: ORIGIN, custodian: DN, tenant: "acme", trust, now: START };
}
const take = async (rows: VersionRow[], sequence: number, by = client) =>
  by.versions({ account, rows, head: await head(rows, sequence) });
const hidden = async (by = client) => (await by.compare({ account, documents: [], whole: true })).hidden;
async function reloaded(): Promise<PortClient> {
  const again = browser.start().client;
  await again.hello(DN);
  return again;
}

it("takes rows in pages, and counts them when the head has come", async () => {
  const rows = [row(1), row(2), row(3)];
  expect(await client.versions({ account })).toEqual({ sequence: 0, founded: false });
  await client.versions({ account, rows: rows.slice(0, 2) });
  expect(await hidden()).toEqual([]);
  const rest = { account, rows: rows.slice(2), head: await head(rows, 3) };
  expect(await client.versions(rest)).toEqual({ sequence: 3, founded: true });
  expect(await hidden()).toEqual(rows.map(({ document }) => document));
  // What has changed, on top of what there is.
  const later = [row(1, 2, "b"), { document: idOf(2), version: 2, deleted: true }];
  await client.versions({ account, rows: later, head: await head([...later, row(3)], 5) });
  const { changed, deleted, unknown } = await client.compare({
    account,
    documents: [
      { document: idOf(1), headerDigest: digestOf("a") },
      { document: idOf(2) },
      { document: idOf(3), headerDigest: digestOf("a"), metadataDigest: digestOf("b") },
      { document: idOf(4) },
    ],
  });
  expect({ changed, deleted, unknown }).toEqual({
    ...{ changed: [idOf(1), idOf(3)], deleted: [idOf(2)], unknown: [idOf(4)] },
  });
});

it("refuses rows that are not those of the head, and knows nothing of the index then", async () => {
  const rows = [row(1), row(2)];
  await take(rows, 2);
  const others: VersionRow[][] = [[row(1, 2)], [row(3)], [{ document: idOf(1), version: 2, deleted: true }]];
  for (const other of others) {
    await take(rows, 2);
    const refused = client.versions({ account, rows: other, head: await head(rows, 2) });
    await expect(refused).rejects.toMatchObject({ code: "index-refused" });
    expect(await client.versions({ account })).toEqual({ sequence: 0, founded: false });
    expect(await (await reloaded()).versions({ account })).toMatchObject({ sequence: 0 });
  }
  // One that is left out is missed as well.
  const without = client.versions({ account, rows: [row(1)], again: true, head: await head(rows, 2) });
  await expect(without).rejects.toMatchObject({ code: "index-refused" });
});

it("refuses a head by another key, of another account, app or tenant, or that has ended", async () => {
  const rows = [row(1)];
  const heads = [
    await head(rows, 1, {}, authority.edkSigner),
    await head(rows, 1, { account: "a-2" }),
    await head(rows, 1, { app: "https://other.example" }),
    await head(rows, 1, { tenant: "umbrella" }),
    await head(rows, 1, { exp: START / 1000 - 1, iat: START / 1000 - 300 }),
    await head(rows, 1, { kind: "master" as "version-index" }),
    `${(await head(rows, 1)).slice(0, -8)}AAAAAAAA`,
  ];
  for (const other of heads)
    await expect(client.versions({ account, rows, head: other })).rejects.toMatchObject({
      code: "index-refused",
    });
  expect(await client.versions({ account })).toMatchObject({ sequence: 0 });
  expect(await take(rows, 1)).toMatchObject({ sequence: 1 });
});

it("goes on after a reload where it was, and refuses an earlier head than it has ever seen, after a sign-out too", async () => {
  const rows = [row(1), row(2)];
  await take(rows, 7);
  const again = await reloaded();
  expect(await again.versions({ account })).toEqual({ sequence: 7, founded: true });
  expect(await hidden(again)).toEqual([idOf(1), idOf(2)]);
  await expect(take([row(1)], 6, again)).rejects.toMatchObject({ code: "index-superseded" });
  // What was known stays known.
  expect(await hidden(again)).toEqual([idOf(1), idOf(2)]);

  await again.forget();
  expect(await lives(again)).toBe("not-enrolled");
  const { client: next } = await browser.enrolledClient();
  expect(await next.versions({ account })).toEqual({ sequence: 0, founded: false });
  await expect(take([row(1)], 6, next)).rejects.toMatchObject({ code: "index-superseded" });
  expect(await take(rows, 7, next)).toMatchObject({ sequence: 7 });
});

it("knows what stands from the store, before anybody has asked after a reload", async () => {
  const rows = [row(1), row(2, 3, "b")];
  const buckets = new Map(
    rows.map((each) => [bucketOf(each.document), { hash: "", rows: new Map([[each.document, each]]) }]),
  );
  const store = { versions: async () => ({ sequence: 3, founded: true, buckets }) } as unknown as Store;
  const owner = { origin: ORIGIN, custodian: DN } as Owner;
  expect(await new Versions(store).row(owner, account, idOf(2))).toEqual(rows[1]);
  expect(await new Versions(store).row(owner, account, idOf(3))).toBeUndefined();
});

it("hashes and keeps again what has changed, and no more", async () => {
  const rows = Array.from({ length: 300 }, (_, at) => row(at));
  const memory = memoryStore();
  await memory.replaceInstance({ origin: ORIGIN, custodian: DN } as never);
  const kept: number[] = [];
  const store: Store = {
    ...memory,
    keepVersions: async (of) => {
      kept.push(of.buckets.size);
      return memory.keepVersions(of);
    },
  };
  const owner = await ownerOf();
  const versions = new Versions(store);
  const whole = await head(rows, 300);
  const later = [row(1, 2, "b"), row(256 + 1, 2, "b"), row(2, 2, "b")];
  const changed = await head(
    [...rows.filter(({ document }) => !later.some((each) => each.document === document)), ...later],
    303,
  );
  await versions.take(owner, { account, rows, head: whole });
  const digests = vi.spyOn(crypto.subtle, "digest");
  try {
    await versions.take(owner, { account, rows: later, head: changed });
    // Two buckets, an empty one, the root, and what the signature takes.
    expect(digests.mock.calls.length).toBeLessThan(10);
    digests.mockClear();
    await versions.take(owner, { account, rows: [], head: changed });
    expect(digests.mock.calls.length).toBeLessThan(10);
  } finally {
    digests.mockRestore();
  }
  expect(kept).toEqual([256, 2]);
  // What was kept is whole.
  const again = new Versions(store);
  expect(await again.row(owner, account, idOf(2))).toEqual(row(2, 2, "b"));
  expect(await again.row(owner, account, idOf(3))).toEqual(row(3));
  await again.take(owner, { account, rows: [], head: changed });
});

it("is kept whole again where another tab has ended what was kept", async () => {
  const rows = [row(1), row(2)];
  const memory = memoryStore();
  await memory.replaceInstance({ origin: ORIGIN, custodian: DN } as never);
  const owner = await ownerOf();
  const versions = new Versions(memory);
  await versions.take(owner, { account, rows, head: await head(rows, 2) });
  await memory.deleteVersions({ ...owner, account });
  for (const at of [3, 4]) {
    rows.push(row(at));
    await versions.take(owner, { account, rows: [row(at)], head: await head(rows, at) });
  }
  const kept = await memory.versions({ ...owner, account });
  expect(kept?.sequence).toBe(4);
  const held = [...(kept?.buckets.values() ?? [])].flatMap((bucket) => [...bucket.rows.keys()]);
  expect(held.sort()).toEqual(rows.map(({ document }) => document));
});

it("takes no lower number for an app that the KMS says is another client now, and goes on with a higher one", async () => {
  const before = [row(1), row(2), row(3)];
  await client.versions({ account, rows: before, head: await head(before, 9, { client: "old" }) });
  const first = row(7);
  const of = async (sequence: number, name: string | undefined) => ({
    account,
    rows: [first],
    again: true,
    head: await head([first], sequence, name === undefined ? {} : { client: name }),
  });
  for (const name of ["new", "old", undefined])
    await expect(client.versions(await of(8, name))).rejects.toMatchObject({ code: "index-superseded" });
  expect(await client.versions(await of(10, "new"))).toMatchObject({ sequence: 10 });
});

it("keeps nothing of an index that is too large, and takes one that is not afterwards", async () => {
  const [versions, owner] = [new Versions(memoryStore()), await ownerOf()];
  const half = (from: number) => Array.from({ length: MAX_ROWS / 2 + 1 }, (_, at) => row(from + at));
  await versions.take(owner, { account, rows: half(1), again: true });
  await expect(versions.take(owner, { account, rows: half(MAX_ROWS) })).rejects.toMatchObject({
    code: "too-large",
  });
  expect(await versions.take(owner, { account })).toMatchObject({ sequence: 0 });
  const small = { account, rows: [row(1)], head: await head([row(1)], 3) };
  expect(await versions.take(owner, small)).toMatchObject({ sequence: 3 });
});

it("is told to nobody before the instance is enrolled", async () => {
  const other = new TestBrowser(authority).start().client;
  await other.hello(DN);
  await expect(other.versions({ account })).rejects.toMatchObject({ code: "not-enrolled" });
  await expect(other.compare({ account, documents: [] })).rejects.toMatchObject({ code: "not-enrolled" });
});
