import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { makeRoomForCode, makeRoomForFamily, makeRoomForSession } from "./bounds.ts";
import { principalMigrations } from "./schema.ts";

const DAY = 86_400;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(principalMigrations);
});

const names = (query: string) => [...sql.exec<{ name: string }>(query)].map(({ name }) => name).sort();
const families = () => names("SELECT id AS name FROM families");
const sessions = () => names("SELECT hash AS name FROM sessions");
const ended = () => names("SELECT message ->> 'jkt' AS name FROM outbox");

/** A session with one family, begun at `begun` and refreshed last at `used`. */
function signIn(name: string, begun: number, used: number | null = null, user = "u"): void {
  sql.exec("INSERT INTO sessions VALUES (?, ?, ?, '')", name, user, begun + DAY);
  sql.exec(
    "INSERT INTO families (id, user, session, client, jkt, expires) VALUES (?, ?, ?, 'app', ?, ?)",
    ...[`f-${name}`, user, name, `k-${name}`, begun + DAY],
  );
  sql.exec("INSERT INTO refresh_tokens VALUES (?, ?, ?)", `r-${name}`, `f-${name}`, used);
}

it("one session too many ends the one that was idle for longest, and its instances, of this user alone", () => {
  signIn("old-but-used", 100, 900);
  signIn("idle", 200);
  signIn("new", 300);
  signIn("other", 1, null, "someone-else");
  makeRoomForSession(sql, "u", 3);
  expect(sessions()).toEqual(["new", "old-but-used", "other"]);
  expect(families()).toEqual(["f-new", "f-old-but-used", "f-other"]);
  expect(ended()).toEqual(["k-idle"]);
  expect(names("SELECT hash AS name FROM refresh_tokens")).toEqual(["r-new", "r-old-but-used", "r-other"]);
});

it("one family too many ends the idlest, revoked ones first", () => {
  for (let i = 0; i < 40; i++) signIn(`s${String(i).padStart(2, "0")}`, i);
  sql.exec("UPDATE families SET revoked = 1 WHERE id = 'f-s39'");
  makeRoomForFamily(sql, "u", 8);
  expect(families()).toEqual(["32", "33", "34", "35", "36", "37", "38"].map((n) => `f-s${n}`));
  expect(ended()).toHaveLength(33);
});

it("codes that nobody exchanged go, the oldest first", () => {
  for (let i = 0; i < 50; i++) {
    makeRoomForCode(sql, "u");
    sql.exec(
      `INSERT INTO codes (hash, user, session, client, redirect_uri, challenge, jkt, expires)
       VALUES (?, 'u', 's', 'c', 'r', 'x', 'k', ?)`,
      ...[`c${i}`, i],
    );
  }
  expect(names("SELECT hash AS name FROM codes")).toHaveLength(16);
  expect(names("SELECT hash AS name FROM codes WHERE expires >= 34")).toHaveLength(16);
});
