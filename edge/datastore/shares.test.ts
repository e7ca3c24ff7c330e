import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Caller } from "../caller.ts";
import type { Decision } from "../result.ts";
import { beginWhole, finishCompletion, markDeleted } from "./documents.ts";
import { MIGRATIONS } from "./schema.ts";
import {
  endGiven,
  findLent,
  findReceived,
  giveShare,
  hasRoomFor,
  keepCopy,
  listReceived,
  type ShareNews,
  takeNews,
} from "./shares.ts";

const NOW = 1_800_000_000;
const caller = { client: "page", requestId: "r" } as Caller;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  for (let n = 0; n < 30; n++) {
    beginWhole(
      sql,
      { account: "a", client: "page" },
      { id: `d${n}`, size: 9, metadata: 5, digest: `${n}` },
      1000,
    );
    finishCompletion(sql, `d${n}`, "e");
  }
});

const code = (decision: Decision<unknown>) => (decision.ok ? "ok" : decision.problem.code);
const give = (over: Partial<Parameters<typeof giveShare>[2]> = {}, by = caller) =>
  code(
    giveShare(
      sql,
      by,
      { id: "d1", share: "s", from: "a", to: "b", record: "j", expires: NOW + 60, ...over },
      NOW,
    ),
  );
const told = () =>
  sql
    .exec<{ addressee: string; message: string }>("SELECT addressee, message FROM outbox ORDER BY number")
    .toArray()
    .map(({ addressee, message }) => [addressee, JSON.parse(message) as ShareNews] as const);
const lent = (share = "s", to = "b", by = caller, now = NOW) => code(findLent(sql, by, { share, to }, now));

it("lends a document to the account that it was shared with, in its app, until the end", () => {
  expect(give()).toBe("ok");
  expect(lent()).toBe("ok");
  expect(lent("s", "c")).toBe("share-ended");
  expect(lent("t")).toBe("share-ended");
  expect(lent("s", "b", { ...caller, client: "another-app" })).toBe("share-ended");
  expect(lent("s", "b", caller, NOW + 60)).toBe("share-ended");
  markDeleted(sql, "d1", NOW);
  expect(lent()).toBe("share-ended");
});

it("shares what is there, with another account, for a time, once", () => {
  expect(give({ id: "unknown" })).toBe("not-found");
  expect(give({}, { ...caller, client: "another-app" })).toBe("not-found");
  expect(give({ to: "a" })).toBe("conflict");
  expect(give({ expires: NOW })).toBe("conflict");
  expect(give({ expires: NOW + 400 * 24 * 3600 })).toBe("conflict");
  expect(give()).toBe("ok");
  // Of a share that is there for another document or account nothing is told to anybody.
  expect(give({ id: "d2" })).toBe("conflict");
  expect(give({ to: "c" })).toBe("conflict");
  expect(told()).toHaveLength(1);
  // Nor does what is refused take the place of what stands, there or here.
  expect(lent()).toBe("ok");
  expect(give({ id: "d2", share: "s9" })).toBe("ok");
  expect(give({ id: "d2" })).toBe("conflict");
  expect([lent(), lent("s9")]).toEqual(["ok", "ok"]);
  sql.exec("DELETE FROM outbox WHERE number > 1");
  expect(give({ share: "s2" })).toBe("ok");
  expect([lent("s"), lent("s2")]).toEqual(["share-ended", "ok"]);
});

it("tells the other account what has ended: one share, a document's, an account's", () => {
  for (const [share, id, to] of [
    ["s1", "d1", "b"],
    ["s2", "d1", "c"],
    ["s3", "d2", "b"],
    ["s4", "d3", "b"],
  ] as const)
    give({ share, id, to });
  sql.exec("DELETE FROM outbox");
  const of = { requestId: "r", from: "a" };
  endGiven(sql, { ...of, client: "another-app", document: "d1", share: "s1" });
  expect(told()).toEqual([]);
  endGiven(sql, { ...of, client: "page", document: "d1", share: "s1" });
  expect(told()).toEqual([["account/b", { ...of, client: "page", ended: "s1" }]]);
  endGiven(sql, { ...of, document: "d1" });
  expect(told().at(-1)).toEqual(["account/c", { ...of, client: "page", ended: "s2" }]);
  endGiven(sql, of);
  expect(told()).toHaveLength(4);
});

const news = (share: string, from = "a", document = share): ShareNews => ({
  ...{ requestId: "r", from, client: "page" },
  received: { share, document, record: "j", created: NOW, expires: NOW + 60 },
});
const hear = (one: ShareNews) => code(takeNews(sql, one, NOW));
const list = (client = "page", after?: number, now = NOW) => listReceived(sql, client, after, now);

it("lists what was received, page by page, each once however often it is heard, and nothing that has ended", () => {
  for (let n = 0; n < 150; n++) expect(hear(news(`s${n}`))).toBe("ok");
  expect(hear(news("s7"))).toBe("ok");
  const first = list();
  expect(first.received).toHaveLength(100);
  const second = list("page", first.next);
  expect([second.received.length, second.next]).toEqual([50, undefined]);
  expect(new Set([...first.received, ...second.received].map(({ share }) => share)).size).toBe(150);
  expect(list("another-app").received).toEqual([]);
  expect(list("page", undefined, NOW + 60).received).toEqual([]);
  // Another account cannot end what it has not shared.
  hear({ requestId: "r", from: "x", client: "page", ended: "s1" });
  expect(code(findReceived(sql, "page", "s1"))).toBe("ok");
  hear({ requestId: "r", from: "a", client: "page", ended: "s1" });
  expect(code(findReceived(sql, "page", "s1"))).toBe("not-found");
});

it("takes so much from one account and from all, and what is shared again in the place of what was", () => {
  for (let n = 0; n < 200; n++) hear(news(`s${n}`));
  expect(hear(news("more"))).toBe("quota-exceeded");
  expect(hear(news("again", "a", "s3"))).toBe("ok");
  expect(code(findReceived(sql, "page", "s3"))).toBe("not-found");
  for (let from = 1; from < 5; from++)
    for (let n = 0; n < 200; n++) hear(news(`${from}/${n}`, `from${from}`));
  expect(hear(news("one more", "another"))).toBe("quota-exceeded");
  // What has ended makes room.
  expect(
    code(
      takeNews(
        sql,
        {
          ...news("later", "another"),
          received: { share: "later", document: "l", record: "j", created: NOW, expires: NOW + 99 },
        } as ShareNews,
        NOW + 61,
      ),
    ),
  ).toBe("ok");
});

it("has room by what each app still has of it: what has ended, and what is of another app, takes none", () => {
  const room = (over: Partial<Parameters<typeof hasRoomFor>[1]> = {}, now = NOW) =>
    hasRoomFor(sql, { from: "a", document: "more", client: "page", ...over }, now);
  const app = (one: ShareNews, client: string): ShareNews => ({ ...one, client });
  for (let n = 0; n < 200; n++) hear(news(`s${n}`));
  expect(room()).toBe(false);
  // In the place of what was shared before, from another account, in another app, and when those have ended.
  expect(room({ document: "s3" })).toBe(true);
  expect(room({ from: "b" })).toBe(true);
  expect(room({ client: "another-app" })).toBe(true);
  expect(room({}, NOW + 59)).toBe(false);
  expect(room({}, NOW + 60)).toBe(true);
  for (let from = 1; from < 5; from++)
    for (let n = 0; n < 200; n++) hear(news(`${from}/${n}`, `from${from}`));
  expect(room({ from: "b" })).toBe(false);
  expect(room({ from: "b", client: "another-app" })).toBe(true);
  expect(room({ from: "b" }, NOW + 60)).toBe(true);
  // What is heard is measured likewise.
  expect(hear(news("here", "b"))).toBe("quota-exceeded");
  expect(hear(app(news("there", "b"), "another-app"))).toBe("ok");
  expect(list("another-app").received).toMatchObject([{ share: "there" }]);
});

it("keeps a copy of the name of what was received, for its app alone", () => {
  hear(news("s"));
  expect(code(keepCopy(sql, "another-app", "s", "AAAA"))).toBe("not-found");
  expect(code(keepCopy(sql, "page", "s", "AAAA"))).toBe("ok");
  expect(list().received).toMatchObject([{ share: "s", account: "a", copy: "AAAA" }]);
});
