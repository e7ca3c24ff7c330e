import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { createDpopKey, createProof } from "#web/client/dpop.ts";
import { EdgeClient, newVerifier, type Tokens } from "../support/edge-client.ts";
import { json, send } from "../support/http.ts";
import { startSystem } from "../support/start.ts";
import { useSystem } from "../system/index.ts";

const TENANT = "development";

const system = useSystem();

const signedIn = async (name = "Ada Lovelace") => {
  const browser = await EdgeClient.signedIn(system, name);
  return { browser, tokens: browser.tokens };
};

describe("sign-in", () => {
  it("M5 gives a custodian a certificate for its DPoP key and a token bound to that key", async () => {
    const { browser, tokens } = await signedIn();
    expect(tokens).toMatchObject({
      token_type: "DPoP",
      expires_in: 600,
      tenant: TENANT,
      user: { name: "Ada Lovelace" },
    });
    expect(decodeProtectedHeader(tokens.access_token)).toMatchObject({ alg: "ES256", typ: SIGN_TYPE.token });
    const claims = decodeJwt(tokens.access_token);
    const { dn, certificate } = tokens.custodian;
    expect(claims).toMatchObject({ iss: browser.vault, aud: browser.app, custodian: dn });
    expect(JSON.stringify(claims)).not.toContain(browser.account);
    const parsed = new x509.X509Certificate(Buffer.from(certificate, "base64url"));
    expect(parsed.subject.replaceAll(", ", ",")).toBe(`CN=${claims.sub},OU=${browser.app},O=${TENANT}`);
    expect(dn).toBe(`CN=${claims.sub},OU=${browser.app},O=${TENANT}`);
    const { x, y } = browser.key.jwk;
    const key = await parsed.publicKey.export();
    expect(await crypto.subtle.exportKey("jwk", key)).toMatchObject({ x, y });
    expect(parsed.issuer).toContain("custodians CA");
  });

  it("M13 gives no code for a session alone: a person has to say yes on the vault's own page", async () => {
    const { browser } = await signedIn("Grace <b>Hopper</b>");
    const query = await browser.query(newVerifier());
    for (const sent of [query, `${query}&prompt=none`]) {
      const page = await browser.authorize(sent);
      expect(page.status).toBe(200);
      expect(page.headers).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
        "x-frame-options": "DENY",
        "cache-control": "no-store",
      });
      expect(page.headers.location).toBeUndefined();
      // One script, the vault's own, that only holds the button back.
      expect(page.text.match(/<script[^>]*>/g)).toEqual(['<script src="/page.js" defer>']);
      expect(page.headers["content-security-policy"]).toContain(`script-src ${browser.vault}/page.js;`);
      expect(page.text).not.toContain("autofocus");
      expect(page.text.match(/<button[^>]*>/g)).toEqual([expect.stringContaining("disabled")]);
    }
    const page = await browser.authorize(query);
    expect(page.text).toContain("Continue as <bdi>Grace &lt;b&gt;Hopper&lt;/b&gt;</bdi>");
    const another = await browser.authorize(`${query}&prompt=login`);
    expect(another.headers.location).toContain(`${system.running.provider!.issuer}/authorize?`);
    expect(another.headers.location).toContain("prompt=login");
    for (const foreign of [
      { origin: browser.app },
      { origin: "null" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[]) {
      const refused = await browser.approve(query, foreign);
      expect(json(refused)).toMatchObject({ code: "foreign-origin" });
      expect(refused.headers.location).toBeUndefined();
    }
    const approved = await browser.approve(query, { "sec-fetch-site": "same-origin" });
    expect(approved).toMatchObject({ status: 303 });
    expect(approved.headers.location).toMatch(/[?&]code=[a-z2-7]{32}\.[\w-]{43}&state=state&iss=/);
    const unknown = await browser.form(
      `${browser.vault}/authorize`,
      { continue: query },
      { origin: browser.vault },
    );
    expect(unknown.headers.location).toBeUndefined();
    expect(unknown.text).toContain("Nobody is signed in");
  });

  it("signs nobody in for a request that it refuses", async () => {
    const browser = new EdgeClient(system);
    const query = await browser.query(newVerifier());
    const foreign = await browser.query(newVerifier(), { redirect_uri: "http://evil.example/" });
    const refused = await browser.authorize(foreign);
    expect([refused.status, refused.headers.location, refused.headers["set-cookie"]]).toEqual([
      400,
      undefined,
      undefined,
    ]);
    // Who came back to one request is nobody at another.
    const transaction = await browser.identify("Eve", query);
    expect((await browser.enter(foreign, transaction)).status).toBe(400);
    const other = await browser.enter(`${query}&state=other`, transaction);
    expect([other.status, other.headers.location]).toEqual([400, undefined]);
    const another = await browser.query(newVerifier(), { state: "another" });
    expect(await browser.enter(another, transaction)).toMatchObject({ status: 400 });
    expect(await browser.enter(query, transaction)).toMatchObject({ status: 303 });
  });

  it("knows the same person again while the session lasts", async () => {
    const { browser, tokens } = await signedIn("Grace");
    const verifier = newVerifier();
    const again = json<Tokens>(await browser.exchange(await browser.code(verifier), verifier));
    expect(again.user).toEqual(tokens.user);
    expect(again.accounts).toEqual(tokens.accounts);
  });

  it("takes the form from the vault's own page only, and the cookie is for the vault alone", async () => {
    const browser = new EdgeClient(system);
    for (const origin of [browser.app, "null", "http://evil.example"]) {
      const answer = await browser.form(`${browser.vault}/sign-in`, { name: "Eve" }, { origin });
      expect(answer.status).toBe(403);
      expect(answer.headers["set-cookie"]).toBeUndefined();
    }
    expect((await browser.form(`${browser.vault}/sign-in`, { name: "Eve" })).status).toBe(403);
    const { headers } = await browser.signIn("Eve");
    const secret = browser.vaultCookie("");
    const [session, transaction] = headers["set-cookie"]!.split(", ");
    expect(session).toMatch(
      new RegExp(`^${secret}[a-z2-7]{32}\\.[\\w-]{43}; Max-Age=86400; Path=/; HttpOnly; SameSite=Strict$`),
    );
    expect(transaction).toBe(`${secret.slice(0, -1)}-sign-in=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`);
  });

  it("M13 tells the vault's own scripts, and nobody else, whom the cookie stands for", async () => {
    const { browser, tokens } = await signedIn();
    const { cookie, vault } = browser;
    const session = (headers: Record<string, string>) => send(`${vault}/session`, { headers });
    const own = await session({ cookie, "sec-fetch-site": "same-origin" });
    expect(json(own)).toEqual({
      tenant: TENANT,
      user: tokens.user.id,
      session: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(own.headers["cache-control"]).toBe("no-store");
    expect(own.headers["access-control-allow-origin"]).toBeUndefined();
    for (const [header, value] of [
      ["sec-fetch-site", "same-site"],
      ["sec-fetch-site", "cross-site"],
      ["sec-fetch-site", "none"],
      ["origin", browser.app],
    ] as const) {
      expect(json(await session({ cookie, [header]: value }))).toMatchObject({ code: "foreign-origin" });
    }
    const another = browser.vaultCookie(`${tokens.user.id}.${newVerifier()}`);
    const value = cookie.slice(cookie.indexOf("=") + 1);
    const { tokens: others } = (await signedIn("Grace")).browser;
    // Another server on this machine can set a cookie of the same name; it cannot say which one counts.
    for (const unknown of [
      "",
      another,
      browser.vaultCookie(value.split(".")[1]!),
      // Whom a cookie names says which object is asked, and nothing more.
      browser.vaultCookie(value.replace(tokens.user.id, others.user.id)),
      `${another}; ${cookie}`,
      `${cookie}; ${another}`,
      `${cookie}; ${cookie}`,
    ]) {
      expect(json(await session({ cookie: unknown }))).toMatchObject({ status: 401, code: "no-session" });
    }
    for (const name of ["__Host-coffer", "coffer", "coffer-80", `x${browser.vaultCookie("").slice(0, -1)}`]) {
      expect((await session({ cookie: `${name}=${value}` })).status, name).toBe(401);
    }
    expect((await session({ cookie: `a=b; ${cookie};c` })).status).toBe(200);
  });

  it("the app's site, which gets the vault's cookie on localhost, makes nothing of it and sets none", async () => {
    const { browser } = await signedIn();
    const { app, cookie } = browser;
    const query = await browser.query(newVerifier());
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/session"],
      ["GET", `/authorize?${query}`],
      ["POST", "/authorize"],
      ["POST", "/sign-in"],
      ["POST", "/sign-out"],
      ["POST", "/ra/enrolments"],
      ["POST", "/ra/grants"],
      ["GET", "/accounts/a/documents"],
    ] as const) {
      const headers = { origin: app, "content-type": "application/x-www-form-urlencoded" };
      const [bare, sent] = await Promise.all(
        [headers, { ...headers, cookie }].map((headers) => send(app + path, { method, headers })),
      );
      expect(sent!.status, path).toBe(bare!.status);
      expect(sent!.headers["set-cookie"]).toBeUndefined();
      expect(sent!.headers.vary ?? "").not.toMatch(/cookie/i);
    }
    expect((await send(`${browser.vault}/session`, { headers: { cookie } })).status).toBe(200);
  });

  it("ends with sign-out, and everything issued in it", async () => {
    const { browser, tokens } = await signedIn();
    const answer = await send(`${browser.vault}/sign-out`, {
      method: "POST",
      headers: { origin: browser.app, cookie: browser.cookie },
    });
    expect(answer.status).toBe(204);
    expect((await browser.authorize(await browser.query(newVerifier()))).status).toBe(200);
    expect(json(await browser.refresh(tokens.refresh_token))).toMatchObject({ error: "invalid_grant" });
  });
});

describe("authorization code", () => {
  it("works once; a second use revokes what it gave", async () => {
    const browser = new EdgeClient(system);
    await browser.signIn("Ada");
    const verifier = newVerifier();
    const code = await browser.code(verifier);
    const first = await browser.exchange(code, verifier);
    expect(first.status).toBe(200);
    expect(json(await browser.exchange(code, verifier))).toMatchObject({
      code: "invalid-grant",
      error: "invalid_grant",
    });
    expect((await browser.refresh(String(json(first).refresh_token))).status).toBe(400);
  });

  it("is refused with another verifier, key or redirect URI", async () => {
    const browser = new EdgeClient(system);
    await browser.signIn("Ada");
    const verifier = newVerifier();
    expect((await browser.exchange(await browser.code(verifier), newVerifier())).status).toBe(400);
    const other = { redirect_uri: `${browser.app}/other` };
    expect((await browser.exchange(await browser.code(verifier), verifier, other)).status).toBe(400);
    const url = `${browser.app}/token`;
    const foreign = await createProof(await createDpopKey(), { method: "POST", url });
    expect(json(await browser.exchange(await browser.code(verifier), verifier, {}, foreign))).toMatchObject({
      code: "invalid-grant",
    });
  });

  it("is never sent to an address that is not registered", async () => {
    const browser = new EdgeClient(system);
    await browser.signIn("Ada");
    const query = await browser.query(newVerifier(), { redirect_uri: "http://evil.example/" });
    const answer = await browser.authorize(query);
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.headers.location).toBeUndefined();
  });
});

describe("refresh token", () => {
  it("rotates; a second use revokes the family", async () => {
    const { browser, tokens } = await signedIn();
    const second = json<Tokens>(await browser.refresh(tokens.refresh_token));
    expect(second.custodian).toEqual(tokens.custodian);
    const third = json<Tokens>(await browser.refresh(second.refresh_token));
    expect((await browser.refresh(tokens.refresh_token)).status).toBe(400);
    expect((await browser.refresh(third.refresh_token)).status).toBe(400);
  });

  it("is worth nothing without its key", async () => {
    const { browser, tokens } = await signedIn();
    const thief = new EdgeClient(system);
    thief.key = await createDpopKey();
    expect((await thief.refresh(tokens.refresh_token)).status).toBe(400);
    expect((await browser.refresh(tokens.refresh_token)).status).toBe(400);
  });
});

describe("access", () => {
  it("needs a proof by the token's key, for this request, used once", async () => {
    const { browser, tokens } = await signedIn();
    const url = `${browser.app}/accounts/${tokens.accounts[0]!.id}/documents`;
    const accessToken = tokens.access_token;
    const authorization = `DPoP ${accessToken}`;
    const dpop = await createProof(browser.key, { method: "GET", url, accessToken });
    expect((await send(url, { headers: { authorization, dpop } })).status).toBe(200);
    const replay = await send(url, { headers: { authorization, dpop } });
    expect(json(replay)).toMatchObject({ status: 401, code: "invalid-proof" });
    expect(replay.headers["www-authenticate"]).toContain("invalid_dpop_proof");

    const foreign = await createProof(await createDpopKey(), { method: "GET", url, accessToken });
    expect(json(await send(url, { headers: { authorization, dpop: foreign } }))).toMatchObject({
      code: "invalid-token",
    });
    const unbound = await createProof(browser.key, { method: "GET", url });
    expect(json(await send(url, { headers: { authorization, dpop: unbound } }))).toMatchObject({
      code: "invalid-proof",
    });
    expect(json(await send(url, { headers: { authorization } }))).toMatchObject({ code: "invalid-proof" });
    const bearer = await createProof(browser.key, { method: "GET", url, accessToken });
    expect(
      (await send(url, { headers: { authorization: `Bearer ${accessToken}`, dpop: bearer } })).status,
    ).toBe(401);
  });

  it("M3 M6 lets a custodian have grants, and data keys of its own accounts only", async () => {
    const { browser, tokens } = await signedIn();
    const { tokens: other } = await signedIn("Somebody Else");
    const grant = await browser.rest("POST", "/ra/grants", {});
    expect(json(grant)).toMatchObject({ grant: expect.stringMatching(/^[a-z2-7]{32}\.[\w-]{43}$/) });
    const own = { account: tokens.accounts[0]!.id, count: 2, purpose: "document" };
    const keys = await browser.rest("POST", "/kms/data-keys", own);
    expect(json(keys).edks).toHaveLength(2);
    const foreign = { ...own, account: other.accounts[0]!.id };
    expect(json(await browser.rest("POST", "/kms/data-keys", foreign))).toMatchObject({ status: 403 });
  });
});

describe("production", () => {
  it("signs nobody in where no provider is configured, and says so at the first request", async () => {
    const production = await startSystem({ vars: { COFFER_ENVIRONMENT: "production" } });
    try {
      const browser = new EdgeClient(production);
      const query = await browser.query(newVerifier());
      const page = await browser.authorize(query);
      expect(page.status).toBe(403);
      expect(page.text).toContain("Sign-in is not set up");
      expect(page.text).not.toContain("<form");
      expect(page.headers["set-cookie"]).toBeUndefined();
      expect(production.log()).toContain("development: no identity provider (oidc), so nobody can sign in");
      // There is no way around it: not by a name, not by an answer that somebody made up.
      for (const form of [{ name: "Ada" }, {}] as Record<string, string>[]) {
        const entered = await browser.enter(query, browser.vaultCookie("x"), form);
        expect([entered.status, entered.headers.location]).toEqual([400, undefined]);
      }
      expect((await send(`${browser.vault}/sign-in/callback?code=c&state=s`)).status).toBe(403);
      // Only the cookie of production is cleared: that of development does not count.
      const { headers: out } = await send(`${browser.vault}/sign-out`, {
        method: "POST",
        headers: { origin: browser.vault },
      });
      expect(out["set-cookie"]).toMatch(
        /^__Host-coffer=; Max-Age=0; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
      );
    } finally {
      await production.close();
    }
  });
});
