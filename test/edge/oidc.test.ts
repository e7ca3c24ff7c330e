/** Sign-in by a tenant's provider, on workerd: what a provider may bend is refused, or followed as the specification says. */

import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Bend, IdentityProvider } from "#emulator/identity-provider/index.ts";
import { principalId } from "#protocol/principal.ts";
import { cookieOf, EdgeClient, newVerifier } from "../support/edge-client.ts";
import { type Answer, json, send } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherTenants: ["umbrella"] });
let provider: IdentityProvider;
beforeAll(() => {
  provider = system.running.provider!;
});
afterEach(() => provider.bend({}));

/** A browser at the provider, which has come back to the vault with an answer that `bend` has an effect on. */
async function comeBack(bend: Bend = {}, name = "Ada"): Promise<Answer> {
  const browser = new EdgeClient(system);
  const { provider: at, transaction } = await browser.leave(await browser.query(newVerifier()));
  provider.bend(bend);
  const back = await browser.type(name, at);
  return send(back.href, { headers: { cookie: transaction } });
}

const refusals = () =>
  readRows(system.edgeDir, "links")
    .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
    .filter(({ action }) => action === "iam:identify");

function expectNobody(answer: Answer, status: number, sentence: string): void {
  expect(answer.text).toContain(sentence);
  expect([answer.status, answer.headers.location]).toEqual([status, undefined]);
  expect(answer.headers["set-cookie"] ?? "").not.toMatch(/coffer-[^=]*=[^;]/);
  // What it was is for the log: nothing of it helps whoever tries. What is random in the page may spell any short word.
  expect(answer.text.replaceAll(/[\w-]{20,}/g, "")).not.toMatch(
    /nonce|signature|issuer|audience|jose|JWT|ERR_/i,
  );
}

it("a person is asked at another site, and then at the vault, and is the principal that the name was before", async () => {
  const browser = new EdgeClient(system);
  const query = await browser.query(newVerifier());
  const left = await browser.authorize(query);
  const { origin, searchParams } = new URL(left.headers.location!);
  expect(origin).toBe(provider.issuer);
  expect(new URL(origin).hostname).toBe("127.0.0.1");
  expect(Object.fromEntries(searchParams)).toEqual({
    response_type: "code",
    client_id: "development",
    redirect_uri: `${browser.vault}/sign-in/callback`,
    scope: "openid profile",
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: "S256",
  });
  const name = browser.vaultCookie("").slice(0, -1);
  expect(left.headers["set-cookie"]).toMatch(
    new RegExp(`^${name}-sign-in=[\\w-]+; Max-Age=900; Path=/; HttpOnly; SameSite=Lax$`),
  );
  // Nothing in it can be read: not the verifier, which is worth as much as the code.
  const sealed = cookieOf(left).split("=")[1]!;
  expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("verifier");
  const ada = await EdgeClient.signedIn(system, "Ada");
  const of = { tenant: "development", issuer: "urn:coffer:development", subject: "Ada" };
  expect(ada.tokens.user).toEqual({ id: await principalId(of), name: "Ada" });
});

it("nobody is signed in by coming back: the vault asks first", async () => {
  const sessions = () => readRows(system.edgeDir, "sessions").length;
  const before = sessions();
  const browser = new EdgeClient(system);
  const query = await browser.query(newVerifier());
  // Signed in at the provider already, so that nothing is asked there.
  provider.bend({ person: "Silent Susan" });
  const { provider: at, transaction } = await browser.leave(query);
  const silent = await send(at.href);
  const back = await send(silent.headers.location!, { headers: { cookie: transaction } });
  expect([back.status, back.headers.location]).toEqual([303, `/authorize?${query}`]);
  browser.cookie = cookieOf(back);
  const page = await browser.authorize(query);
  expect(page.text).toContain("Continue as <bdi>Silent Susan</bdi>");
  expect(page.text).toContain(
    `because you pressed “Sign in” on <strong>${new URL(browser.app).host}</strong>`,
  );
  expect(page.headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  expect(sessions()).toBe(before);
  for (const headers of [
    { origin: browser.app },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ] as Record<string, string>[])
    expect((await browser.enter(query, browser.cookie, {}, headers)).status).toBe(403);
  expect(sessions()).toBe(before);
  expect((await browser.enter(query, browser.cookie)).status).toBe(303);
  expect(sessions()).toBe(before + 1);
});

it("who has come back may be somebody else, as often as they like", async () => {
  const browser = new EdgeClient(system);
  const link = async (query: string) => {
    const page = await browser.authorize(query);
    const href = / href="([^"]*)">Use another name</.exec(page.text)![1]!.replaceAll("&amp;", "&");
    return href.slice("/authorize?".length);
  };
  let query = await browser.query(newVerifier());
  for (const name of ["Ada", "Bob", "Carol"]) {
    browser.cookie = await browser.identify(name, query);
    const page = await browser.authorize(query);
    expect(page.text).toContain(`Continue as <bdi>${name}</bdi>`);
    query = await link(query);
    const { location } = (await browser.authorize(query)).headers;
    expect(new URL(location!).searchParams.get("prompt")).toBe("login");
  }
});

describe("what the ID token says is refused", () => {
  const changed = (change: object): Bend => ({ claims: (claims) => ({ ...claims, ...change }) });
  it.each<[string, Bend]>([
    ["signed by a key of somebody else", { signed: "foreign" }],
    ["with an altered signature", { signed: "altered" }],
    ["with no signature", { signed: "none" }],
    ["signed with what is public, taken for a secret", { signed: "HS256" }],
    ["of a key that is not in the key set", { header: (header) => ({ ...header, kid: "unknown" }) }],
    ["with a header that nobody understands", { header: (header) => ({ ...header, crit: ["x"], x: 1 }) }],
    ["for another client", changed({ aud: "umbrella" })],
    [
      "for several clients, issued to another",
      changed({ aud: ["development", "umbrella"], azp: "umbrella" }),
    ],
    ["for several clients, issued to none", changed({ aud: ["development", "umbrella"] })],
    ["issued to another client", changed({ azp: "umbrella" })],
    ["of another issuer", changed({ iss: "https://accounts.evil.example" })],
    ["with another nonce", changed({ nonce: "n".repeat(43) })],
    ["without a nonce", changed({ nonce: undefined })],
    ["run out", changed({ exp: Math.floor(Date.now() / 1000) - 120 })],
    ["without an end", changed({ exp: undefined })],
    ["of an hour ago", changed({ iat: Math.floor(Date.now() / 1000) - 3600 })],
    ["of the future", changed({ iat: Math.floor(Date.now() / 1000) + 3600 })],
    ["without a subject", changed({ sub: undefined })],
    ["without the subject of development", changed({ name: "\u202e" })],
  ])("%s", async (_, bend) => {
    expectNobody(await comeBack(bend), 403, "nobody was signed in");
  });

  it("and is in the audit, without what it said", async () => {
    const name = "Augusta Ada King";
    await comeBack({ signed: "foreign" }, name);
    await expect.poll(() => refusals().length).toBeGreaterThan(0);
    const last = refusals().at(-1)!;
    expect(last).toMatchObject({ outcome: "deny", resource: "identity-provider" });
    expect(last.reason).toMatch(/^(token|ID token|response|token endpoint): [\w: ]+$/);
    expect(JSON.stringify(refusals())).not.toContain(name);
  });
});

describe("the response", () => {
  it.each<[string, NonNullable<Bend["response"]>, number, string]>([
    [
      "of another provider (mix-up)",
      (answer) => answer.set("iss", "https://accounts.evil.example"),
      403,
      "cannot be trusted",
    ],
    [
      "that says twice whose it is",
      (answer) => answer.append("iss", answer.get("iss")!),
      403,
      "cannot be trusted",
    ],
    ["that does not say whose it is", (answer) => answer.delete("iss"), 403, "cannot be trusted"],
    ["with another state", (answer) => answer.set("state", "s".repeat(43)), 400, "This sign-in is over"],
    ["without a state", (answer) => answer.delete("state"), 400, "This sign-in is over"],
    ["without a code", (answer) => answer.delete("code"), 403, "cannot be trusted"],
    ["with two codes", (answer) => answer.append("code", "another"), 403, "cannot be trusted"],
    [
      "with a code that it did not issue",
      (answer) => answer.set("code", "c".repeat(43)),
      403,
      "cannot be trusted",
    ],
    [
      "that says no",
      (answer) => {
        answer.delete("code");
        answer.set("error", "access_denied");
        answer.set("error_description", "<b>Call 555-0100</b>");
      },
      403,
      "did not sign you in",
    ],
  ])("%s signs nobody in", async (_, response, status, sentence) => {
    const answer = await comeBack({ response });
    expectNobody(answer, status, sentence);
    expect(answer.text).not.toContain("555-0100");
  });

  it("is taken once: repeated, the provider is not asked again", async () => {
    const browser = new EdgeClient(system);
    const { provider: at, transaction } = await browser.leave(await browser.query(newVerifier()));
    const back = await browser.type("Ada", at);
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => send(back.href, { headers: { cookie: transaction } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400, 400, 400]);
    for (const answer of answers.filter(({ status }) => status === 400))
      expectNobody(answer, 400, "This sign-in is over");
  });

  it("of one tenant's provider is none at another tenant's vault", async () => {
    const [here, there] = [new EdgeClient(system), new EdgeClient(system.tenant("umbrella"))];
    const [left, elsewhere] = [
      await here.leave(await here.query(newVerifier())),
      await there.leave(await there.query(newVerifier())),
    ];
    const back = await there.type("Mallory", elsewhere.provider);
    // The answer of the other vault's sign-in, with each cookie that could be at hand.
    for (const cookie of [
      left.transaction,
      elsewhere.transaction.replace(/^[^=]*/, left.transaction.split("=")[0]!),
    ]) {
      const url = `${here.vault}/sign-in/callback${back.search}`;
      expectNobody(await send(url, { headers: { cookie } }), 400, "This sign-in is over");
    }
    // And with a state of this vault, the code is of another client.
    const mixed = new URLSearchParams(back.search);
    mixed.set("state", left.provider.searchParams.get("state")!);
    const url = `${here.vault}/sign-in/callback?${mixed}`;
    expectNobody(await send(url, { headers: { cookie: left.transaction } }), 403, "cannot be trusted");
  });

  it("in a browser that has not begun it signs nobody in (login CSRF), and ends nothing there", async () => {
    const mallory = new EdgeClient(system);
    const begun = await mallory.leave(await mallory.query(newVerifier()));
    const back = await mallory.type("Mallory", begun.provider);
    const ada = new EdgeClient(system);
    const query = await ada.query(newVerifier());
    const { provider: at, transaction } = await ada.leave(query);
    for (const cookie of ["", transaction, `${transaction}; ${begun.transaction}`]) {
      const answer = await send(back.href, { headers: { cookie } });
      expectNobody(answer, 400, "This sign-in is over");
      expect(answer.headers["set-cookie"]).toBeUndefined();
    }
    const own = await send((await ada.type("Ada", at)).href, { headers: { cookie: transaction } });
    expect(own.headers.location).toBe(`/authorize?${query}`);
  });

  it("is taken by a person's browser, and not by a frame or a script", async () => {
    for (const destination of ["iframe", "empty", "image"]) {
      const headers = { "sec-fetch-dest": destination };
      const answer = await send(`${system.vaultOrigin}/sign-in/callback?code=c&state=s`, { headers });
      expect(json(answer)).toMatchObject({ code: "foreign-origin" });
    }
  });
});

describe("a code", () => {
  it("is redeemed once, whoever has the cookie", async () => {
    const browser = new EdgeClient(system);
    const { provider: at, transaction } = await browser.leave(await browser.query(newVerifier()));
    const back = await browser.type("Ada", at);
    const headers = { cookie: transaction };
    expect((await send(back.href, { headers })).status).toBe(303);
    expectNobody(await send(back.href, { headers }), 400, "This sign-in is over");
  });

  it("that the provider takes again and again still signs nobody in twice", async () => {
    const browser = new EdgeClient(system);
    const query = await browser.query(newVerifier());
    const { provider: at, transaction } = await browser.leave(query);
    provider.bend({ reusable: true });
    const back = await browser.type("Ada", at);
    const come = () => send(back.href, { headers: { cookie: transaction } });
    const first = cookieOf(await come());
    expectNobody(await come(), 400, "This sign-in is over");
    expect((await browser.enter(query, first)).status).toBe(303);
    for (const again of [first, transaction]) {
      const answer = await browser.enter(query, again);
      expect([answer.status, answer.headers.location]).toEqual([400, undefined]);
      expect(answer.text).toContain("Nobody is signed in");
    }
  });
});

describe("keys", () => {
  it("that the provider has changed are asked for, and earlier ones still count while it publishes them", async () => {
    const at = () => comeBack({}, "Kay");
    expect((await at()).status).toBe(303);
    const browser = new EdgeClient(system);
    const query = await browser.query(newVerifier());
    // Most providers sign by RSA.
    provider.rotate({ algorithm: "RS256" });
    // For a key that is not known the key set is asked for again once in ten seconds.
    await expect.poll(async () => (await at()).status, { timeout: 15_000, interval: 1000 }).toBe(303);
    const asked = provider.asked("/jwks");
    for (let i = 0; i < 3; i++)
      expectNobody(
        await comeBack({ header: (header) => ({ ...header, kid: `k${i}` }) }),
        403,
        "cannot be trusted",
      );
    expect(provider.asked("/jwks") - asked).toBeLessThanOrEqual(1);
    provider.bend({});
    expect((await browser.enter(query, await browser.identify("Kay", query))).status).toBe(303);
  }, 30_000);
});

it("a key that the provider has withdrawn signs nobody in, on the edge that has known it", async () => {
  expect((await comeBack({}, "Lea")).status).toBe(303);
  provider.rotate({ forget: true });
  // By the new key, for which the key set is asked for again: once in ten seconds.
  await expect
    .poll(async () => (await comeBack({}, "Lea")).status, { timeout: 15_000, interval: 1000 })
    .toBe(303);
  expectNobody(await comeBack({ signed: "withdrawn" }, "Lea"), 403, "cannot be trusted");
}, 30_000);

describe("a provider that does not answer", () => {
  it.each<[string, NonNullable<Bend["token"]>]>([
    ["with an error of its own", (answer) => ({ ...answer, status: 500 })],
    ["with a redirect", () => ({ status: 303, headers: { location: `${provider.issuer}/jwks` }, body: "" })],
    ["with a page", (answer) => ({ ...answer, headers: { "content-type": "text/html" } })],
    ["at length", (answer) => ({ ...answer, body: JSON.stringify("x".repeat(200_000)) })],
    ["for long", (answer) => new Promise((resolve) => setTimeout(() => resolve(answer), 7000))],
  ])(
    "(%s) keeps people out, and says so",
    async (_, token) => {
      expectNobody(await comeBack({ token }), 503, "You cannot sign in right now");
    },
    20_000,
  );
});

describe("signing out", () => {
  it("everywhere leads to the provider, which leads back", async () => {
    const ada = await EdgeClient.signedIn(system, "Ada");
    const page = await send(`${ada.vault}/account`, { headers: { cookie: ada.cookie } });
    expect(page.headers["content-security-policy"]).toContain(`form-action 'self' ${provider.issuer}`);
    const ticket = / name="ticket" value="([^"]*)"/.exec(page.text)![1]!;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const form = { ticket, provider: provider.issuer };
    const out = await ada.form(`${ada.vault}/account`, form, { origin: ada.vault, cookie: ada.cookie });
    const location = new URL(out.headers.location!);
    expect(`${location.origin}${location.pathname}`).toBe(`${provider.issuer}/logout`);
    expect((await send(location.href)).headers.location).toBe(`${ada.vault}/account`);
    expect((await send(`${ada.vault}/session`, { headers: { cookie: ada.cookie } })).status).toBe(401);
  });

  it("at the provider is taken once by one token: repeated, it ends no later sign-in, and what is refused is in the audit", async () => {
    const post = (of: EdgeClient, token: string) =>
      of.form(`${of.vault}/back-channel-logout`, { logout_token: token });
    const first = await EdgeClient.signedIn(system, "Cleo");
    const token = provider.logoutToken({ client: "development", name: "Cleo" });
    expect((await post(first, token)).status).toBe(200);
    const second = await EdgeClient.signedIn(system, "Cleo");
    const answers = await Promise.all([1, 2, 3].map(() => post(second, token)));
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
    expect((await second.rest("POST", "/ra/grants", {})).status).toBe(201);
    expect((await post(second, "no token")).status).toBe(400);
    const reasons = () =>
      readRows(system.edgeDir, "links")
        .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
        .filter(({ action, outcome }) => action === "iam:provider-logout" && outcome === "deny")
        .map(({ reason }) => reason);
    await expect.poll(() => reasons().includes("logout token: used before")).toBe(true);
    await expect.poll(() => reasons().some((reason) => reason?.startsWith("token: "))).toBe(true);
  });

  it("at the provider ends all that a person has here, by a token of the provider alone", async () => {
    const [ada, bob] = [await EdgeClient.signedIn(system, "Ada"), await EdgeClient.signedIn(system, "Bob")];
    const post = (token: string, vault = ada.vault) =>
      ada.form(`${vault}/back-channel-logout`, { logout_token: token });
    const lives = async (browser: EdgeClient) =>
      (await browser.rest("POST", "/ra/grants", {})).status === 201;
    const of = { client: "development", name: "Ada" };
    for (const bend of [
      { signed: "foreign" },
      { claims: (claims) => ({ ...claims, aud: "umbrella" }) },
    ] as Bend[])
      expect((await post(provider.logoutToken(of, bend))).status).toBe(400);
    expect((await post("")).status).toBe(400);
    expect((await post(provider.logoutToken(of), system.tenant("umbrella").vaultOrigin)).status).toBe(400);
    expect([await lives(ada), await lives(bob)]).toEqual([true, true]);
    expect((await post(provider.logoutToken(of))).status).toBe(200);
    expect([await lives(ada), await lives(bob)]).toEqual([false, true]);
    expect((await ada.refresh(ada.tokens.refresh_token)).status).toBe(400);
  });
});
