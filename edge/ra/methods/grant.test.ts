import { beforeEach, describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { ok } from "../../result.ts";
import { MIGRATIONS } from "../schema.ts";
import { consumeSession, openSession } from "../session.ts";
import { useUp } from "./exposed.ts";
import { grantMethod, makeGrant, storeGrant } from "./grant.ts";

const NOW = 1_800_000_000;
const USER = "u".repeat(32);
const caller = {
  tenant: "acme",
  user: USER,
  custodian: "CN=u1,OU=page,O=acme",
  client: "page",
  jkt: "thumb",
  origin: "https://app.example",
  requestId: "r1",
};
const by = { tenant: "acme", user: USER, origin: "https://vault.example", requestId: "r2" };
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

async function issued() {
  const made = await makeGrant(USER, NOW);
  expect(storeGrant(sql, caller, made, NOW).ok).toBe(true);
  return made;
}
const consume = async (grant: string, who = by, now = NOW) => {
  const consumed = (await grantMethod.prepare(grant))!.consume(sql, who, now);
  if (!consumed.ok) return consumed;
  const admitted = await consumed.value();
  return admitted.ok ? ok(admitted.value.binding) : admitted;
};

describe("M3 grant", () => {
  it("answers whom the instance will serve", async () => {
    const { grant } = await issued();
    expect(await consume(grant)).toEqual({
      ok: true,
      value: { user: USER, custodian: caller.custodian, client: "page", jkt: "thumb", origin: caller.origin },
    });
  });

  it("M20 works once", async () => {
    const { grant } = await issued();
    await consume(grant);
    expect(await consume(grant)).toMatchObject({ ok: false, problem: { code: "invalid-grant" } });
  });

  it("M20 ends after 60 seconds, and trying too late uses it up", async () => {
    const { grant, expires } = await issued();
    expect(expires).toBe(NOW + 60);
    expect(await consume(grant, by, NOW + 60)).toMatchObject({ ok: false, reason: "grant expired" });
    expect(await consume(grant, by, NOW)).toMatchObject({
      ok: false,
      reason: "grant unknown or already used",
    });
  });

  it("M20 refuses another user and is used up by it", async () => {
    const { grant } = await issued();
    expect(await consume(grant, { ...by, user: "w".repeat(32) })).toMatchObject({
      problem: { code: "foreign-custodian" },
    });
    // The object of the one for whom it is hears of that.
    const { addressee, message } = sql
      .exec<{ addressee: string; message: string }>("SELECT addressee, message FROM outbox")
      .one();
    expect(addressee).toBe(`principal/${USER}`);
    useUp(sql, [JSON.parse(message)], NOW);
    expect(await consume(grant)).toMatchObject({ ok: false });
  });

  it("is stored hashed", async () => {
    const { grant } = await issued();
    const dump = JSON.stringify(
      [...sql.exec("SELECT hex(hash) AS hash, * FROM grants")].map((row) => ({
        ...row,
        hash: String(row.hash),
      })),
    );
    const secret = grant.slice(grant.indexOf(".") + 1);
    expect(dump).not.toContain(secret);
    expect(dump).not.toContain(Buffer.from(secret, "base64url").toString("hex").toUpperCase());
  });

  it.each([
    "",
    "x",
    "A".repeat(43),
    `${USER}.${"A".repeat(42)}`,
    `${USER}.${"A".repeat(44)}`,
    `${USER}.${"*".repeat(43)}`,
  ])("takes %j for no credential", async (text) => {
    expect(await grantMethod.prepare(text)).toBeNull();
  });

  it("bounds what one user has open", async () => {
    for (let i = 0; i < 16; i++) await issued();
    const open = () =>
      sql.exec<{ open: number }>("SELECT count(*) AS open FROM grants WHERE used IS NULL").one().open;
    expect(storeGrant(sql, caller, await makeGrant(USER, NOW), NOW).ok).toBe(true);
    expect(open()).toBe(16);
    expect(storeGrant(sql, caller, await makeGrant(USER, NOW + 60), NOW + 60).ok).toBe(true);
  });
});

describe("enrolment session", () => {
  it("M20 gives its nonce once, in time, to its user", () => {
    const open = () => {
      const session = openSession(sql, by, NOW, 32);
      if (!session.ok) throw new Error("not open");
      return session.value;
    };
    const session = open();
    expect(session.nonce).toHaveLength(32);
    expect(consumeSession(sql, session.id, by, NOW)).toEqual({ ok: true, value: session.nonce });
    expect(consumeSession(sql, session.id, by, NOW)).toMatchObject({ problem: { code: "invalid-grant" } });
    expect(consumeSession(sql, "unknown", by, NOW)).toMatchObject({ problem: { code: "invalid-grant" } });
    const late = open();
    expect(consumeSession(sql, late.id, by, late.expires)).toMatchObject({
      problem: { code: "invalid-grant" },
    });
    expect(consumeSession(sql, open().id, { ...by, user: "w".repeat(32) }, NOW)).toMatchObject({
      problem: { code: "foreign-custodian" },
    });
  });
});
