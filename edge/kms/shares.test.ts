import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { MIGRATIONS } from "./schema.ts";
import {
  checkRoomForShare,
  endShare,
  endSharesOf,
  listShares,
  putShare,
  type Share,
  shareRecord,
} from "./shares.ts";

const NOW = 1_800_000_000;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  sql.exec(
    `INSERT INTO data_keys VALUES ('k', 1, 'a', 'page', 'u', 'document', 'ak', 1, 1, NULL, 'enabled', '{"operations":["decrypt"]}')`,
  );
});

const share = (over: Partial<Share> = {}): Share => ({
  ...{ id: "s", client: "page", document: "d", key: { id: "k", version: 1 }, account: "b", name: "Bob" },
  ...{ by: "u", created: NOW, expires: NOW + 60 },
  ...over,
});
const reason = (decision: ReturnType<typeof checkRoomForShare>) =>
  decision.ok ? "ok" : decision.problem.code;

it("keeps one share of a document with an account, and so many of a document and of an account", () => {
  for (let n = 0; n < 50; n++) putShare(sql, share({ id: `s${n}`, account: `b${n}` }));
  expect(reason(checkRoomForShare(sql, share({ account: "b50" })))).toBe("quota-exceeded");
  // In the place of the one before there is room.
  expect(reason(checkRoomForShare(sql, share({ account: "b7" })))).toBe("ok");
  putShare(sql, share({ id: "new", account: "b7" }));
  expect(listShares(sql, "page", "d", NOW)).toHaveLength(50);
  for (let n = 0; n < 950; n++)
    putShare(sql, share({ id: `t${n}`, document: `d${n}`, key: { id: `k${n}`, version: 1 } }));
  const other = { document: "other", key: { id: "other", version: 1 } };
  expect(reason(checkRoomForShare(sql, share(other)))).toBe("quota-exceeded");
  // What has ended takes no room.
  expect(reason(checkRoomForShare(sql, share({ ...other, created: NOW + 61, expires: NOW + 99 })))).toBe(
    "ok",
  );
});

it("shares a key for one document alone", () => {
  putShare(sql, share());
  expect(reason(checkRoomForShare(sql, share({ document: "another" })))).toBe("key-unusable");
  expect(reason(checkRoomForShare(sql, share({ document: "another", key: { id: "k", version: 2 } })))).toBe(
    "ok",
  );
  expect(reason(checkRoomForShare(sql, share({ account: "c" })))).toBe("ok");
});

it("is released by as long as it and the key of its document live", () => {
  putShare(sql, share());
  expect(shareRecord(sql, "s", NOW)).toMatchObject({
    account: "b",
    client: "page",
    state: "enabled",
    expires: NOW + 60,
  });
  expect(shareRecord(sql, "s", NOW + 60)).toBeNull();
  sql.exec("UPDATE data_keys SET expires = ?, state = 'disabled'", NOW + 10);
  expect(shareRecord(sql, "s", NOW)).toMatchObject({ state: "disabled", expires: NOW + 10 });
  sql.exec("INSERT INTO key_management (id, version, ends) VALUES ('k', 1, 5)");
  expect(shareRecord(sql, "s", NOW)).toMatchObject({ ends: 5 });
  sql.exec("DELETE FROM data_keys");
  expect(shareRecord(sql, "s", NOW)).toBeNull();
});

it("ends by its app alone, and with its document", () => {
  putShare(sql, share());
  expect(endShare(sql, "another-app", "s")).toBe(false);
  endSharesOf(sql, "another-app", ["d"]);
  expect(listShares(sql, "another-app", undefined, NOW)).toEqual([]);
  expect(listShares(sql, "page", undefined, NOW)).toHaveLength(1);
  endSharesOf(sql, "page", ["x", "d"]);
  expect(listShares(sql, "page", undefined, NOW)).toEqual([]);
  putShare(sql, share());
  expect(endShare(sql, "page", "s")).toBe(true);
  expect(endShare(sql, "page", "s")).toBe(false);
});
