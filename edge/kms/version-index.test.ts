import { beforeEach, expect, it } from "vitest";
import type { VersionRow } from "#protocol/version-index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { MIGRATIONS } from "./schema.ts";
import { listShares, placeOf, putShare } from "./shares.ts";
import { enterAndEnd } from "./version-index.ts";

const APP = "page";
const NOW = 1_800_000_000;
const idOf = (at: number) => `00000000-0000-8000-8000-${at.toString(16).padStart(12, "0")}`;
const digest = "A".repeat(43);
const row = (at: number, version = 1): VersionRow => ({
  ...{ document: idOf(at), version, messageId: digest, headerDigest: digest },
});
const gone = (at: number): VersionRow => ({ document: idOf(at), version: 1, deleted: true });
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  enter([row(1), row(2)]);
  for (const at of [1, 2])
    putShare(sql, {
      ...{ id: `s${at}`, client: APP, document: idOf(at), key: { id: `k${at}`, version: 1 } },
      ...{ account: "b", name: "Bob", by: "u", created: NOW, expires: NOW + 60 },
    });
});

const enter = (rows: VersionRow[], most?: number, client = APP) => enterAndEnd(sql, client, { rows }, most);
const shared = () => listShares(sql, APP, undefined, NOW).map(({ share }) => share);

it("ends the shares of a document that is deleted, and of no other", () => {
  expect(enter([gone(1), row(3)])).toMatchObject({ ok: true });
  expect(shared()).toEqual(["s2"]);
  expect(enter([gone(9)])).toMatchObject({ ok: true });
  // Another app's document of that id is another one.
  expect(enter([gone(2)], undefined, "another-app")).toMatchObject({ ok: true });
  expect(shared()).toEqual(["s2"]);
});

it("ends none by a deletion that is refused with its change, and those that were entered before it", () => {
  const refused = { ok: false, problem: { code: "quota-exceeded" } };
  expect(enter([row(3), gone(1)], 2)).toMatchObject(refused);
  expect(shared()).toHaveLength(2);
  // Its row makes room for one, and the next finds none.
  expect(enter([gone(1), row(3), row(4)], 2)).toMatchObject(refused);
  expect(shared()).toEqual(["s2"]);
});

it("ends the shares of a version that another follows, and none where that one is refused", () => {
  const lead = (at: number, over: number) => ({
    ...{ document: idOf(at), first: idOf(1), over: idOf(over) },
  });
  const follow = (at: number, over: number) =>
    enterAndEnd(sql, APP, { rows: [row(at)], leads: [lead(at, over)] });
  // Sealed again, it stays what it is.
  enterAndEnd(sql, APP, { rows: [row(1)], leads: [lead(1, 1)] });
  expect(shared()).toHaveLength(2);
  follow(3, 1);
  expect(shared()).toEqual(["s2"]);
  expect(follow(4, 2)).toMatchObject({ value: { conflicts: [{ document: idOf(4) }] } });
  expect(shared()).toEqual(["s2"]);
});

it("ends no share by a lead that nothing took: of a document that has no row, that is refused, or that leads already", () => {
  const lead = (at: number, over: number, first: number) => ({
    ...{ document: idOf(at), first: idOf(first), over: idOf(over) },
  });
  const change = (rows: VersionRow[], ...leads: ReturnType<typeof lead>[]) =>
    enterAndEnd(sql, APP, { rows, leads });
  change([row(3)], lead(3, 3, 3));
  change([], lead(3, 2, 3));
  change([row(3, 9)], lead(3, 2, 3));
  change([row(3)], lead(3, 2, 3));
  change([row(3, 2)], lead(3, 2, 3));
  change([row(3, 3)], lead(3, 2, 4));
  expect(shared()).toHaveLength(2);
});

it("ends the shares of each version that was followed in one change", () => {
  enterAndEnd(sql, APP, {
    rows: [row(2, 2), row(3)],
    leads: [
      { document: idOf(2), first: idOf(1), over: idOf(1) },
      { document: idOf(3), first: idOf(1), over: idOf(2) },
    ],
  });
  expect(shared()).toEqual([]);
});

it("tells of a document that is being shared whether another has followed it meanwhile", () => {
  const places = () => [1, 2, 3].map((at) => placeOf(sql, APP, idOf(at)));
  const follow = (at: number, over: number, version = 1) =>
    enterAndEnd(sql, APP, {
      rows: [row(at, version)],
      leads: [{ document: idOf(at), first: idOf(1), over: idOf(over) }],
    });
  expect(places()).toEqual(["between", "between", "between"]);
  follow(2, 1, 2);
  expect(places()).toEqual(["followed", "newest", "between"]);
  follow(3, 2);
  expect(places()).toEqual(["followed", "between", "newest"]);
  expect(placeOf(sql, "another-app", idOf(3))).toBe("between");
});
