import { createHash, randomBytes } from "node:crypto";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type IdentityProvider, startIdentityProvider } from "./index.ts";

const BACK = "http://localhost:1/sign-in/callback";
let provider: IdentityProvider;
beforeEach(async () => {
  provider = await startIdentityProvider({
    port: 0,
    clients: [
      { id: "vault", redirectUris: [BACK], afterLogout: ["http://localhost:1/account"] },
      { id: "confidential", redirectUris: [BACK], afterLogout: [], secret: "s:cret" },
    ],
  });
});
afterEach(() => provider.close());

const verifier = randomBytes(32).toString("base64url");
const query = (change: Record<string, string> = {}) =>
  new URLSearchParams({
    response_type: "code",
    scope: "openid profile",
    client_id: "vault",
    redirect_uri: BACK,
    state: "s",
    nonce: "n",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...change,
  }).toString();
const ask = (path: string) => fetch(provider.issuer + path, { redirect: "manual" });
const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(provider.issuer + path, {
    method: "POST",
    body: new URLSearchParams(form),
    headers,
    redirect: "manual",
  });
const answerOf = (response: Response) =>
  Object.fromEntries(new URL(response.headers.get("location") ?? "about:blank").searchParams);
const codeFor = async (name: string, change = {}) =>
  answerOf(await post("/authorize", { request: query(change), name })).code ?? "";
const redeem = (code: string, change: Record<string, string> = {}, headers = {}) =>
  post(
    "/token",
    {
      grant_type: "authorization_code",
      client_id: "vault",
      redirect_uri: BACK,
      code_verifier: verifier,
      code,
      ...change,
    },
    headers,
  );

it("asks for a name and nothing else, and says by a signed token who it was", async () => {
  const page = await ask(`/authorize?${query()}`);
  expect([page.status, page.headers.get("content-security-policy")]).toEqual([
    200,
    expect.stringContaining("form-action 'self' http://localhost:1;"),
  ]);
  expect((await page.text()).match(/<input(?! type="hidden")[^>]*>/g)).toHaveLength(1);
  const back = await post("/authorize", { request: query(), name: "  Ada  Lovelace " });
  const answer = answerOf(back);
  expect([back.status, answer]).toEqual([
    303,
    { code: expect.any(String), state: "s", iss: provider.issuer },
  ]);
  const { id_token } = (await (await redeem(answer.code!)).json()) as { id_token: string };
  const keys = createLocalJWKSet((await (await ask("/jwks")).json()) as never);
  const { payload } = await jwtVerify(id_token, keys, { issuer: provider.issuer, audience: "vault" });
  expect(payload).toMatchObject({
    nonce: "n",
    name: "Ada Lovelace",
    sub: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(payload.exp! - payload.iat!).toBe(300);
});

it("asks again for what is no name, and takes its form from itself alone", async () => {
  for (const name of ["", " ", "x".repeat(65)]) {
    const again = await post("/authorize", { request: query(), name });
    expect([again.status, await again.text()]).toEqual([400, expect.stringContaining("Type a name")]);
  }
  const foreign = { origin: "http://evil.example" };
  expect((await post("/authorize", { request: query(), name: "Eve" }, foreign)).status).toBe(403);
});

it("sends nobody to an address that is not registered, and its client what is wrong with the rest", async () => {
  for (const change of [{ redirect_uri: "http://evil.example/" }, { client_id: "other" }] as Record<
    string,
    string
  >[]) {
    const refused = await ask(`/authorize?${query(change)}`);
    expect([refused.status, refused.headers.get("location")]).toEqual([400, null]);
  }
  for (const [change, error] of [
    [{ response_type: "token" }, "unsupported_response_type"],
    [{ scope: "profile" }, "invalid_scope"],
    [{ code_challenge_method: "plain" }, "invalid_request"],
    [{ prompt: "none" }, "login_required"],
  ] as [Record<string, string>, string][])
    expect(answerOf(await ask(`/authorize?${query(change)}`)), error).toMatchObject({ error, state: "s" });
});

it("gives a token for a code once, to whom and for what it was issued", async () => {
  const code = await codeFor("Ada");
  expect((await redeem(code)).status).toBe(200);
  expect((await redeem(code)).status).toBe(400);
  for (const change of [
    { code_verifier: "x" },
    { redirect_uri: `${BACK}/` },
    { client_id: "confidential" },
  ] as Record<string, string>[])
    expect((await redeem(await codeFor("Ada"), change)).ok, JSON.stringify(change)).toBe(false);
  const confidential = { client_id: "confidential" };
  const basic = (secret: string) => ({
    authorization: `Basic ${btoa(`confidential:${encodeURIComponent(secret)}`)}`,
  });
  const by = async (headers: object) =>
    (await redeem(await codeFor("Ada", confidential), confidential, headers)).status;
  expect([await by({}), await by(basic("other")), await by(basic("s:cret"))]).toEqual([401, 401, 200]);
});

it("rotates its keys, and keeps the earlier one published unless it is to be forgotten", async () => {
  const kids = async () => {
    const { keys } = (await (await ask("/jwks")).json()) as { keys: { kid: string }[] };
    return keys.map(({ kid }) => kid);
  };
  const [first] = await kids();
  provider.rotate();
  expect(await kids()).toEqual([expect.not.stringMatching(first!), first]);
  provider.rotate({ forget: true });
  expect(await kids()).toHaveLength(1);
  const { kid } = decodeProtectedHeader(provider.logoutToken({ client: "vault", name: "Ada" }));
  expect(await kids()).toEqual([kid]);
});

it("leads back after a logout to a registered address alone", async () => {
  const out = (to: string) =>
    ask(`/logout?client_id=vault&post_logout_redirect_uri=${encodeURIComponent(to)}`);
  expect((await out("http://localhost:1/account")).headers.get("location")).toBe(
    "http://localhost:1/account",
  );
  expect((await out("http://evil.example/")).headers.get("location")).toBeNull();
});
