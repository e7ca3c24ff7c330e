import { describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { readAuthorizationRequest, redeemCode } from "./codes.ts";
import { rotate, startFamily } from "./families.ts";
import { principalMigrations } from "./schema.ts";

const A = "a".repeat(43);
const B = "b".repeat(43);
const client = {
  id: "https://app.example",
  origin: "https://app.example",
  redirectUris: ["https://app.example/"],
};
const find = (id: string) => (id === client.id ? client : undefined);
const good = {
  response_type: "code",
  client_id: client.id,
  redirect_uri: client.redirectUris[0]!,
  code_challenge: A,
  code_challenge_method: "S256",
  dpop_jkt: B,
  state: "s",
};

describe("authorization request", () => {
  const read = (change: Record<string, string>, extra = "") =>
    readAuthorizationRequest(
      new URLSearchParams(`${new URLSearchParams({ ...good, ...change })}${extra}`),
      find,
    );

  it("reads a good one", () => {
    expect(read({})).toMatchObject({ ok: true, request: { challenge: A, jkt: B, state: "s" } });
  });
  it.each([
    ["an unknown client", { client_id: "https://evil.example" }],
    ["another redirect URI", { redirect_uri: "https://app.example/x" }],
    ["a redirect URI with something behind it", { redirect_uri: "https://app.example/?x" }],
  ])("never redirects for %s", (_, change) => {
    expect(read(change)).toEqual({ ok: false, redirectUri: null });
  });
  it.each([
    ["plain PKCE", { code_challenge_method: "plain" }],
    ["no PKCE", { code_challenge: "" }],
    ["no DPoP key", { dpop_jkt: "" }],
    ["implicit", { response_type: "token" }],
  ])("refuses %s", (_, change) => {
    expect(read(change)).toMatchObject({ ok: false, redirectUri: good.redirect_uri });
  });
  it("refuses a parameter that comes twice", () => {
    expect(read({}, "&dpop_jkt=x").ok).toBe(false);
    expect(read({}, `&client_id=${client.id}`)).toEqual({ ok: false, redirectUri: null });
  });
});

const exchange = { client: client.id, redirectUri: good.redirect_uri, challenge: A, jkt: B };

function fixture() {
  const sql = sqlStorage(principalMigrations) as SqlStorage;
  sql.exec("INSERT INTO sessions VALUES ('session', 'user', 1000, 'id')");
  sql.exec(
    "INSERT INTO codes (hash, user, session, client, redirect_uri, challenge, jkt, expires) VALUES ('code', 'user', 'session', ?, ?, ?, ?, 160)",
    client.id,
    good.redirect_uri,
    A,
    B,
  );
  const family = { id: "f", user: "user", session: "session", client: client.id, jkt: B, expires: 900 };
  const next = (hash: string, next: string, jkt = B, now = 200) =>
    rotate(sql, { hash, next, client: client.id, jkt, now });
  return { sql, family, next };
}

describe("code", () => {
  it("works once, and a second use revokes what the first one got", () => {
    const { sql, family, next } = fixture();
    expect(redeemCode(sql, "code", exchange, 120)).toMatchObject({ ok: true, value: { user: "user" } });
    startFamily(sql, family, "code", "token-1");
    expect(redeemCode(sql, "code", exchange, 121)).toMatchObject({ ok: false, reason: /used twice/ });
    expect(next("token-1", "token-2")).toMatchObject({ ok: false, reason: "family revoked" });
  });
  it.each([
    ["late", {}, 161],
    ["by another client", { client: "https://evil.example" }, 120],
    ["for another redirect URI", { redirectUri: "https://app.example/x" }, 120],
    ["with another verifier", { challenge: B }, 120],
    ["with another DPoP key", { jkt: A }, 120],
  ])("is refused and consumed when it comes %s", (_, change, now) => {
    const { sql } = fixture();
    expect(redeemCode(sql, "code", { ...exchange, ...change }, now)).toMatchObject({
      problem: { code: "invalid-grant" },
    });
    expect(redeemCode(sql, "code", exchange, 120).ok).toBe(false);
  });
  it("ends the instances of what it gave when it is used twice", () => {
    const { sql, family } = fixture();
    redeemCode(sql, "code", exchange, 120);
    startFamily(sql, family, "code", "token-1");
    redeemCode(sql, "code", exchange, 121);
    expect([...sql.exec("SELECT message ->> 'jkt' AS jkt FROM outbox")]).toEqual([{ jkt: B }]);
  });
  it("says when its session ends, which nothing issued for it outlives", () => {
    const { sql } = fixture();
    expect(redeemCode(sql, "code", exchange, 120)).toMatchObject({ value: { until: 1000 } });
  });
  it("ends with its session", () => {
    const { sql } = fixture();
    sql.exec("DELETE FROM sessions");
    expect(redeemCode(sql, "code", exchange, 120).ok).toBe(false);
  });
});

describe("refresh token", () => {
  it("rotates, and a second use revokes the family", () => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    expect(next("token-1", "token-2").ok).toBe(true);
    expect(next("token-2", "token-3").ok).toBe(true);
    expect(next("token-1", "token-x")).toMatchObject({ ok: false, reason: /family revoked/ });
    expect(next("token-3", "token-4").ok).toBe(false);
  });
  it("presented with another key revokes the family", () => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    expect(next("token-1", "token-2", A).ok).toBe(false);
    expect(next("token-1", "token-2").ok).toBe(false);
    expect(sql.exec("SELECT revoked FROM families").one()).toEqual({ revoked: 200 });
  });
  it.each([
    ["twice", B],
    ["by another key", A],
  ])("ends the instances of its sign-in when it is presented %s", (_, key) => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    if (key === B) next("token-1", "token-2");
    next("token-1", "token-x", key);
    expect([...sql.exec("SELECT message ->> 'jkt' AS jkt FROM outbox")]).toEqual([{ jkt: B }]);
  });
  it("ends with its family", () => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    expect(next("token-1", "token-2", B, 900).ok).toBe(false);
  });
  it("can be presented again as long as the next one was not used, and no older one can", () => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    for (let i = 0; i < 3; i++) expect(next("token-1", "token-2", B, 200 + i * 200).ok).toBe(true);
    expect(next("token-2", "token-3", B, 700).ok).toBe(true);
    expect(next("token-2", "token-3", B, 700).ok).toBe(true);
    expect(next("token-1", "token-2", B, 700)).toMatchObject({ ok: false, reason: /family revoked/ });
    for (const [token, successor] of [
      ["token-2", "token-3"],
      ["token-3", "token-4"],
    ] as const)
      expect(next(token, successor, B, 700).ok).toBe(false);
  });
  it.each([
    ["another key", A, undefined],
    ["another client", B, "https://other.example"],
  ])("is not answered again to %s: the family ends", (_, key, other) => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    next("token-1", "token-2");
    const again = { hash: "token-1", next: "token-2", client: other ?? client.id, jkt: key, now: 200 };
    expect(rotate(sql, again)).toMatchObject({ ok: false, reason: /family revoked/ });
    expect(next("token-2", "token-3").ok).toBe(false);
    expect([...sql.exec("SELECT message ->> 'jkt' AS jkt FROM outbox")]).toEqual([{ jkt: B }]);
  });
  it("is not answered again once its family has run out", () => {
    const { sql, family, next } = fixture();
    startFamily(sql, family, "code", "token-1");
    next("token-1", "token-2");
    expect(next("token-1", "token-2", B, 900).ok).toBe(false);
  });
});
