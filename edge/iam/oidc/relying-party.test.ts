import { afterEach, beforeEach, expect, it } from "vitest";
import {
  type Bend,
  type IdentityProvider,
  startIdentityProvider,
} from "#emulator/identity-provider/index.ts";
import type { OidcSettings } from "../../oidc.ts";
import { Providers, RelyingParty, signInSecrets } from "./index.ts";

const BACK = "http://localhost:1/sign-in/callback";
const QUERY = "client_id=app&state=of-the-app";
let provider: IdentityProvider;
let now: number;
let providers: Providers;
beforeEach(async () => {
  now = Date.now();
  providers = new Providers(fetch, () => now);
  const registered = { redirectUris: [BACK], afterLogout: ["http://localhost:1/account"] };
  provider = await startIdentityProvider({
    port: 0,
    clients: [
      { id: "vault", ...registered },
      { id: "confidential", ...registered, secret: "s:c/ret" },
    ],
  });
});
afterEach(() => provider.close());

const SETTINGS = {
  clientId: "vault",
  clientSecret: null,
  scope: "openid profile",
  nameClaim: null,
  groups: null,
  development: null,
};
async function party(
  change: Partial<OidcSettings> = {},
  clientSecret: string | null = null,
  { strict = false, tenant = "acme", adminEmails = [] as string[] } = {},
) {
  return new RelyingParty({
    settings: { ...SETTINGS, issuer: provider.issuer, ...change },
    strict,
    clientSecret,
    adminEmails,
    redirectUri: BACK,
    providers,
    secrets: await signInSecrets(new Uint8Array(32), tenant),
    now: Math.floor(now / 1000),
  });
}

/** What the provider answers to a request, once somebody has typed a name. */
async function typed(location: string, name = "Ada"): Promise<URLSearchParams> {
  const request = new URL(location).search.slice(1);
  const body = new URLSearchParams({ request, name });
  const back = await fetch(`${provider.issuer}/authorize`, { method: "POST", body, redirect: "manual" });
  return new URL(back.headers.get("location")!).searchParams;
}

/** Signs somebody in, and answers who it is or what failed. */
async function signIn(by: RelyingParty, name?: string) {
  const left = (await by.leave(QUERY, false))!;
  const answer = await typed(left.location, name);
  const under = await by.expect(answer, left.transaction);
  const { transaction } = await by.takeBack(answer, under);
  return by.identified(QUERY, transaction);
}

it("tells who somebody is: issuer, subject, name", async () => {
  expect(await signIn(await party(), "Ada")).toEqual({
    issuer: provider.issuer,
    subject: expect.stringMatching(/^[\w-]{43}$/),
    name: "Ada",
    transaction: expect.stringMatching(/^[\w-]{43}$/),
    groups: [],
    admin: null,
  });
  const development = { issuer: "urn:coffer:development", subject: "name" };
  expect(await signIn(await party({ development }), " Grace  Hopper")).toMatchObject({
    issuer: "urn:coffer:development",
    subject: "Grace Hopper",
  });
});

const GROUPS = {
  claim: "teams",
  named: [
    ["Engineering", "staff"],
    ["0f3c", "auditors"],
    ["Everyone", "staff"],
  ] as [string, string][],
};

it("takes from the groups that the provider tells those that the setting names, by our names", async () => {
  const told = async (teams: unknown, groups: OidcSettings["groups"] = GROUPS) => {
    provider.bend({ claims: (claims) => ({ ...claims, teams }) });
    return (await signIn(await party({ groups })))?.groups;
  };
  expect(await told(["Everyone", "Engineering", "Board", "auditors"])).toEqual(["staff"]);
  expect(await told("0f3c")).toEqual(["auditors"]);
  for (const none of [undefined, null, 7, {}, [], ["engineering"], [["Engineering"]], "Engineering,0f3c"])
    expect(await told(none), JSON.stringify(none)).toEqual([]);
  expect(await told(["Engineering"], null)).toEqual([]);
});

it("begins again where the setting's groups have changed while a person was at the provider", async () => {
  provider.bend({ claims: (claims) => ({ ...claims, teams: "Engineering" }) });
  const by = await party({ groups: GROUPS });
  const left = (await by.leave(QUERY, false))!;
  const answer = await typed(left.location);
  const { transaction } = await by.takeBack(answer, await by.expect(answer, left.transaction));
  expect(await by.identified(QUERY, transaction)).toMatchObject({ groups: ["staff"] });
  const changed = { ...GROUPS, named: [["Engineering", "auditors"]] as [string, string][] };
  expect(await (await party({ groups: changed })).identified(QUERY, transaction)).toBeNull();
});

it("knows an admin by an address that the setting has and the provider has verified", async () => {
  const adminEmails = ["ada@acme.example"];
  const told = async (claims: object, emails = adminEmails) => {
    provider.bend({ claims: (all) => ({ ...all, ...claims }) });
    return (await signIn(await party({}, null, { adminEmails: emails })))?.admin;
  };
  const email = "Ada@Acme.example";
  expect(await told({ email, email_verified: true })).toMatch(/^[\w-]{43}$/);
  expect(await told({ email, email_verified: true }, [])).toBeNull();
  for (const claims of [
    { email },
    { email, email_verified: false },
    { email, email_verified: "true" },
    { email: "ada@acme.example.org", email_verified: true },
    { email: ["ada@acme.example"], email_verified: true },
    { preferred_username: "ada@acme.example", email_verified: true },
  ])
    expect(await told(claims), JSON.stringify(claims)).toBeNull();
});

it("takes the name from the claim that is configured, else from the first that has one", async () => {
  provider.bend({
    claims: (claims) => ({ ...claims, name: undefined, email: "ada@example.com", nick: "A" }),
  });
  expect(await signIn(await party())).toMatchObject({ name: "ada@example.com" });
  expect(await signIn(await party({ nameClaim: "nick" }))).toMatchObject({ name: "A" });
  expect(await signIn(await party({ nameClaim: "none" }))).toMatchObject({ name: "Somebody without a name" });
});

it("a confidential client shows its secret by the way that the provider takes", async () => {
  const confidential = { clientId: "confidential", clientSecret: "COFFER_OIDC_SECRET" };
  expect(await signIn(await party(confidential, "s:c/ret"))).toMatchObject({ name: "Ada" });
  await expect(signIn(await party(confidential, "other"))).rejects.toMatchObject({ failure: "unavailable" });
  await expect(signIn(await party(confidential, null))).rejects.toThrow("COFFER_OIDC_SECRET is not set");
  provider.bend({
    metadata: (all) => ({ ...all, token_endpoint_auth_methods_supported: ["client_secret_post"] }),
  });
  providers = new Providers(fetch, () => now);
  expect(await signIn(await party(confidential, "s:c/ret"))).toMatchObject({ name: "Ada" });
});

it("a sign-in is of the browser, the request and the quarter of an hour in which it was begun", async () => {
  const by = await party();
  const left = (await by.leave(QUERY, false))!;
  const answer = await typed(left.location);
  const other = (await by.leave(QUERY, false))!;
  for (const transaction of [null, "", "x".repeat(200), other.transaction, left.transaction.slice(0, -2)])
    await expect(by.expect(answer, transaction)).rejects.toMatchObject({ failure: "stale" });
  const twice = new URLSearchParams([...answer, ["state", answer.get("state")!]]);
  await expect(by.expect(twice, left.transaction)).rejects.toMatchObject({ failure: "stale" });
  const elsewhere = await party({}, null, { tenant: "umbrella" });
  await expect(elsewhere.expect(answer, left.transaction)).rejects.toMatchObject({ failure: "stale" });
  const { transaction } = await by.takeBack(answer, await by.expect(answer, left.transaction));
  // Who came back is no sign-in under way, and is of this request alone.
  await expect(by.expect(answer, transaction)).rejects.toMatchObject({ failure: "stale" });
  expect(await by.identified(`${QUERY}&more=1`, transaction)).toBeNull();
  expect(await by.identified(QUERY, left.transaction)).toBeNull();
  expect(await by.identified(QUERY, transaction)).not.toBeNull();
  now += 10 * 60_000;
  expect(await (await party()).identified(QUERY, transaction)).toBeNull();
  now += 5 * 60_000;
  await expect((await party()).expect(answer, left.transaction)).rejects.toMatchObject({ failure: "stale" });
  expect(await by.leave("x".repeat(2049), false)).toBeNull();
});

it("asks for new keys where one is not known, and not again for ten seconds", async () => {
  await signIn(await party());
  expect(provider.asked("/jwks")).toBe(1);
  now += 11_000;
  provider.rotate();
  expect(await signIn(await party())).toMatchObject({ name: "Ada" });
  expect(provider.asked("/jwks")).toBe(2);
  provider.rotate();
  for (let i = 0; i < 3; i++)
    await expect(signIn(await party())).rejects.toMatchObject({ failure: "invalid" });
  expect(provider.asked("/jwks")).toBe(2);
  now += 11_000;
  expect(await signIn(await party())).toMatchObject({ name: "Ada" });
  expect(provider.asked("/jwks")).toBe(3);
});

it.each(["ES256", "RS256", "PS256", "EdDSA"] as const)(
  "takes what is signed by %s, as the metadata offer it",
  async (algorithm) => {
    provider.rotate({ algorithm });
    expect(await signIn(await party())).toMatchObject({ name: "Ada" });
    const others = (all: Record<string, unknown>) => ({
      ...all,
      id_token_signing_alg_values_supported: ["ES384"],
    });
    provider.bend({ metadata: others });
    providers = new Providers(fetch, () => now);
    await expect(signIn(await party())).rejects.toMatchObject({ failure: "invalid" });
  },
);

it("forgets a key that the provider does not publish any more, within ten minutes", async () => {
  await signIn(await party());
  now += 10 * 60_000;
  const later = { iat: now / 1000, exp: now / 1000 + 300 };
  provider.bend({ claims: (claims) => ({ ...claims, ...later }) });
  await signIn(await party());
  expect([provider.asked("/jwks"), provider.asked("/.well-known/openid-configuration")]).toEqual([2, 2]);
});

it("goes by what it knew of a provider that does not answer, for a day, and asks every ten seconds", async () => {
  await signIn(await party());
  provider.bend({ metadata: () => ({}) });
  const asked = () => provider.asked("/.well-known/openid-configuration");
  now += 11 * 60_000;
  for (let i = 0; i < 3; i++) expect(await (await party()).leave(QUERY, false)).not.toBeNull();
  expect(asked()).toBe(2);
  now += 10_000;
  expect(await (await party()).leave(QUERY, false)).not.toBeNull();
  expect(asked()).toBe(3);
  now += 24 * 3600_000;
  await expect((await party()).leave(QUERY, false)).rejects.toMatchObject({ failure: "unavailable" });
});

it.each<[string, NonNullable<Bend["metadata"]>]>([
  ["of another issuer", (all) => ({ ...all, issuer: "https://evil.example" })],
  ["without a code", (all) => ({ ...all, response_types_supported: ["id_token"] })],
  ["with PKCE in plain alone", (all) => ({ ...all, code_challenge_methods_supported: ["plain"] })],
  [
    "with symmetric signatures alone",
    (all) => ({ ...all, id_token_signing_alg_values_supported: ["HS256", "none"] }),
  ],
  ["with an address in the clear", (all) => ({ ...all, token_endpoint: "http://evil.example/token" })],
  ["with no address", (all) => ({ ...all, jwks_uri: undefined })],
])("does without a provider that has metadata %s", async (_, metadata) => {
  provider.bend({ metadata });
  await expect((await party()).leave(QUERY, false)).rejects.toMatchObject({ failure: "unavailable" });
});

it("asks nothing in the clear in production, whatever the metadata say", async () => {
  await expect((await party({}, null, { strict: true })).leave(QUERY, false)).rejects.toThrow("not HTTPS");
});

it("follows no redirect, reads nothing at length, and takes no answer that is none", async () => {
  for (const token of [
    () => ({ status: 307, headers: { location: `${provider.issuer}/token` }, body: "" }),
    () => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: `"${"x".repeat(200_000)}"`,
    }),
    () => ({ status: 200, headers: { "content-type": "text/html" }, body: "{}" }),
    () => ({ status: 200, headers: { "content-type": "application/json" }, body: "{" }),
    () => ({ status: 500, headers: { "content-type": "application/json" }, body: "{}" }),
    () => ({
      status: 400,
      headers: { "content-type": "application/json" },
      body: '{"error":"server_error"}',
    }),
  ] as NonNullable<Bend["token"]>[]) {
    provider.bend({ token });
    await expect(signIn(await party())).rejects.toMatchObject({ failure: "unavailable" });
  }
  provider.bend({});
  expect(await signIn(await party())).not.toBeNull();
});

it("knows a logout token from an ID token", async () => {
  const by = await party();
  const token = (bend?: Bend) => provider.logoutToken({ client: "vault", name: "Ada" }, bend);
  expect(await by.loggedOut(token())).toMatchObject({ issuer: provider.issuer, name: "Ada" });
  for (const bend of [
    { claims: (claims) => ({ ...claims, nonce: "n" }) },
    { claims: (claims) => ({ ...claims, events: {} }) },
    { claims: (claims) => ({ ...claims, jti: undefined }) },
    { claims: (claims) => ({ ...claims, aud: "other" }) },
    { signed: "foreign" },
  ] as Bend[])
    await expect(by.loggedOut(token(bend)), JSON.stringify(bend)).rejects.toMatchObject({
      failure: "invalid",
    });
});
