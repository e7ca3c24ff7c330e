import { describe, expect, it } from "vitest";
import { digest } from "#protocol/digest.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { type Hsm, HsmUnavailable } from "../hsm/index.ts";
import type { Store } from "../store.ts";
import { noteMembership } from "./memberships.ts";
import { principalMigrations } from "./schema.ts";
import { issueTokens, type TokenRequest } from "./tokens.ts";

const ORIGIN = "https://app.example";
const PRINCIPAL = "a".repeat(32);
const JKT = "j".repeat(43);
const tenant = {
  name: "acme",
  vault: "https://vault.example",
  apps: [{ id: ORIGIN, origin: ORIGIN }],
};

/** A family with one refresh token, `first`, and an HSM that is there or not. */
async function fixture() {
  const reasons: string[] = [];
  const sql = sqlStorage(principalMigrations) as SqlStorage;
  sql.exec("INSERT INTO principal VALUES ('user', 'Ada', 0)");
  sql.exec("INSERT INTO families VALUES ('f', 'user', 's', ?, ?, 1000, NULL)", ORIGIN, JKT);
  sql.exec("INSERT INTO refresh_tokens VALUES (?, 'f', NULL)", await digest("first"));
  sql.exec(
    "INSERT INTO custodians VALUES (?, 'f', 'user', ?, 'CN=user', ?, ?, 1000)",
    JKT,
    ORIGIN,
    ORIGIN,
    new Uint8Array(1),
  );
  const store: Store = {
    sql,
    tenant: "acme",
    transaction: (closure) => closure(),
    record: ({ reason }) => void reasons.push(reason ?? ""),
    recordBounded: ({ reason }) => void reasons.push(reason ?? ""),
    flush: async () => {},
  };
  const state = { away: false, denied: [] as string[], whileSigning: () => {} };
  const answer = async <T>(value: T): Promise<T> => {
    if (state.away) throw new HsmUnavailable("away");
    return value;
  };
  const spki = await crypto.subtle
    .generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])
    .then(({ publicKey }) => crypto.subtle.exportKey("spki", publicKey));
  const hsm = {
    publicKey: () => answer(new Uint8Array(spki)),
    certificate: () => answer(new Uint8Array(16)),
    sign: () => {
      state.whileSigning();
      return answer(new Uint8Array(64));
    },
  } as unknown as Hsm;
  let proofs = 0;
  const refresh = (token: string, change: Partial<TokenRequest> = {}, jti = `proof-${proofs++}`) =>
    issueTokens(
      { store, principal: PRINCIPAL, hsm, tenant, configuration: {}, now: 500, denied: () => state.denied },
      {
        grant: { type: "refresh_token", token },
        client: ORIGIN,
        origin: ORIGIN,
        proof: { jkt: JKT, key: { kty: "EC", crv: "P-256", x: "x", y: "y" }, jti, expires: 900 },
        requestId: "r",
        ...change,
      },
    );
  return { sql, refresh, state, reasons };
}

describe("token endpoint", () => {
  it("never lets a token outlive its sign-in", async () => {
    const { refresh } = await fixture();
    const result = await refresh("first");
    if (!result.ok) throw new Error(result.problem.code);
    const [, payload] = result.value.access_token.split(".");
    const { iat, exp } = JSON.parse(Buffer.from(payload!, "base64url").toString());
    expect({ iat, exp }).toEqual({ iat: 500, exp: 1000 });
  });

  it("stores no proof for a token that is made up, and bounds refreshes by a token that is not", async () => {
    const { sql, refresh } = await fixture();
    const proofs = () => sql.exec<{ n: number }>("SELECT count(*) AS n FROM proofs").one().n;
    for (let i = 0; i < 100; i++)
      expect(await refresh(`made-up-${i}`)).toMatchObject({ problem: { code: "invalid-grant" } });
    expect(proofs()).toBe(0);
    let token = "first";
    for (let i = 0; i < 30; i++) {
      const next = await refresh(token);
      if (!next.ok) throw new Error(next.problem.code);
      token = next.value.refresh_token;
    }
    for (let i = 0; i < 10; i++)
      expect(await refresh(token)).toMatchObject({ problem: { code: "too-many-requests", retryAfter: 60 } });
    expect(proofs()).toBe(30);
  });

  it("signs nobody out because the HSM is away", async () => {
    const { refresh, state } = await fixture();
    state.away = true;
    await expect(refresh("first")).rejects.toBeInstanceOf(HsmUnavailable);
    state.away = false;
    const next = await refresh("first");
    if (!next.ok) throw new Error(next.problem.code);
    expect((await refresh(next.value.refresh_token)).ok).toBe(true);
    expect((await refresh("first")).ok).toBe(false);
  });

  it("answers a refresh again whose answer was lost with the same next token, and a fresh access token", async () => {
    const { refresh } = await fixture();
    const [lost, again] = [await refresh("first"), await refresh("first")];
    expect(again.ok).toBe(true);
    if (!lost.ok || !again.ok) return;
    expect(again.value.refresh_token).toBe(lost.value.refresh_token);
    expect(again.value.access_token).not.toBe(lost.value.access_token);
    expect((await refresh(again.value.refresh_token)).ok).toBe(true);
  });

  it("gives a token that is no longer for a member of a thousand accounts, and tells the app all of them", async () => {
    const { refresh, sql } = await fixture();
    const one = await refresh("first");
    if (!one.ok) throw new Error(one.problem.code);
    for (let i = 0; i < 1000; i++)
      noteMembership(sql, { account: crypto.randomUUID(), name: "An account", created: i });
    const many = await refresh(one.value.refresh_token);
    if (!many.ok) throw new Error(many.problem.code);
    expect(many.value.accounts).toHaveLength(1000);
    expect(many.value.access_token).toHaveLength(one.value.access_token.length);
  });

  it("says how long the token holds, which is shorter at the end of a sign-in", async () => {
    const { refresh, sql } = await fixture();
    expect(await refresh("first")).toMatchObject({ value: { expires_in: 500 } });
    sql.exec("UPDATE families SET expires = 507");
    expect(await refresh("first")).toMatchObject({ value: { expires_in: 7 } });
    sql.exec("UPDATE families SET expires = 50000");
    expect(await refresh("first")).toMatchObject({ value: { expires_in: 600 } });
  });

  it("bounds what a user has at it in a minute, by all sign-ins, repetitions among it", async () => {
    const { refresh, sql, reasons } = await fixture();
    for (let i = 0; i < 240; i++) {
      sql.exec("INSERT INTO refresh_tokens VALUES (?, 'f', NULL)", await digest(`token-${i}`));
      if (i % 20 === 0) sql.exec("UPDATE refresh_tokens SET used = 1 WHERE used IS NOT NULL");
      expect((await refresh(`token-${i}`)).ok).toBe(true);
    }
    sql.exec("UPDATE refresh_tokens SET used = 1 WHERE used IS NOT NULL");
    const proofs = () => sql.exec<{ n: number }>("SELECT count(*) AS n FROM proofs").one().n;
    expect(await refresh("token-239")).toMatchObject({
      problem: { code: "too-many-requests", retryAfter: 1 },
    });
    expect(await refresh("first")).toMatchObject({ problem: { code: "too-many-requests" } });
    expect(proofs()).toBe(240);
    expect(reasons.slice(-2)).toEqual(["too many of iam:token", "too many of iam:token"]);
  });

  it("takes no turn of a user for tokens that are dead, or held without their key", async () => {
    const { sql, refresh } = await fixture();
    const second = await refresh("first");
    if (!second.ok) throw new Error(second.problem.code);
    sql.exec("INSERT INTO families VALUES ('dead', 'user', 's', ?, ?, 1000, 400)", ORIGIN, JKT);
    sql.exec("INSERT INTO refresh_tokens VALUES (?, 'dead', NULL)", await digest("revoked"));
    const stranger = { jkt: "s".repeat(43), key: { kty: "EC", crv: "P-256", x: "x", y: "y" } } as const;
    for (let i = 0; i < 300; i++) {
      const proof = { ...stranger, jti: `strange-${i}`, expires: 900 };
      expect(await refresh("revoked", { proof })).toMatchObject({ problem: { code: "invalid-grant" } });
    }
    expect(sql.exec<{ n: number }>("SELECT count(*) AS n FROM proofs").one().n).toBe(1);
    expect((await refresh(second.value.refresh_token)).ok).toBe(true);
  });

  it("takes a proof once, and refuses before the token is consumed", async () => {
    const { refresh, reasons } = await fixture();
    const next = await refresh("first", {}, "same-proof");
    if (!next.ok) throw new Error(next.problem.code);
    const { refresh_token: token } = next.value;
    expect(await refresh(token, {}, "same-proof")).toMatchObject({ problem: { code: "invalid-proof" } });
    expect(reasons).toContain("DPoP proof replayed");
    expect((await refresh(token)).ok).toBe(true);
  });

  it("refuses an unknown client and a client on another's origin", async () => {
    const { refresh } = await fixture();
    for (const change of [{ client: "https://evil.example" }, { origin: "https://other.example" }]) {
      expect(await refresh("first", change)).toMatchObject({ problem: { code: "invalid-client" } });
    }
    expect((await refresh("first")).ok).toBe(true);
  });

  it("refuses a denied app before the token is used up", async () => {
    const { refresh, state, reasons } = await fixture();
    state.denied = [ORIGIN];
    expect(await refresh("first")).toMatchObject({ problem: { code: "invalid-client" } });
    expect(reasons.at(-1)).toBe("the app is denied");
    state.denied = [];
    expect((await refresh("first")).ok).toBe(true);
  });

  it("releases nothing to an app that was denied while the HSM signed", async () => {
    const { refresh, state, reasons } = await fixture();
    state.whileSigning = () => {
      state.denied = [ORIGIN];
    };
    expect(await refresh("first")).toMatchObject({ ok: false, problem: { code: "invalid-client" } });
    expect(reasons.at(-1)).toBe("the app is denied");
  });
});
