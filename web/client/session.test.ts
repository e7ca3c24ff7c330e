import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { CustodianSession } from "./session.ts";
import type { PendingSignIn, SignIn, SignInStore } from "./sign-in.ts";

const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const VAULT = "http://vault.test";
const APP = "http://app.test";

function memoryStore(): SignInStore & { signIns: Map<string, SignIn> } {
  const signIns = new Map<string, SignIn>();
  const pending = new Map<string, PendingSignIn>();
  return {
    signIns,
    read: async (vault) => signIns.get(vault),
    write: async (vault, signIn) => void signIns.set(vault, signIn),
    clear: async (vault) => void signIns.delete(vault),
    begin: async (one) => void pending.set(one.state, one),
    take: async (state) => {
      const one = pending.get(state);
      pending.delete(state);
      return one;
    },
  };
}

function tokens(name: string) {
  return {
    access_token: `access-${name}`,
    token_type: "DPoP",
    expires_in: 600,
    refresh_token: `refresh-${name}`,
    custodian: { dn: "CN=ada", certificate: "AA" },
    tenant: "t",
    user: { id: "ada", name: "Ada" },
    accounts: [{ id: "a", name: "A" }],
  };
}

function setup(store = memoryStore()) {
  const clock = { now: 1_800_000_000_000 };
  const waits: number[] = [];
  const told: number[] = [];
  const open = () =>
    new CustodianSession({
      vault: VAULT,
      app: APP,
      client: "coffer-page",
      redirectUri: `${APP}/`,
      store,
      fetch,
      now: () => clock.now,
      lock: (name, work) => navigator.locks.request(name, work),
      delay: async (wait) => void waits.push(wait),
      onWait: (wait) => told.push(wait),
    });
  return { store, clock, open, waits, told };
}

it("renews a short token at half of its life, not at every request", async () => {
  const { store, clock, open } = setup();
  let issued = 0;
  server.use(
    http.post(`${APP}/token`, () => HttpResponse.json({ ...tokens(String(++issued)), expires_in: 20 })),
  );
  const session = open();
  const url = new URL(await session.authorizationUrl());
  await session.complete(
    new URLSearchParams({ code: "c", state: url.searchParams.get("state")!, iss: VAULT }),
  );
  const ask = async (by = session) => (await by.authorize("GET", `${APP}/x`)).authorization;
  for (let i = 0; i < 5; i++) expect(await ask()).toBe("DPoP access-1");
  clock.now += 9_900;
  expect(await ask(open())).toBe("DPoP access-1");
  clock.now += 200;
  expect(await ask(open())).toBe("DPoP access-2");
  // A sign-in of an earlier release tells its end alone.
  const { renew: _, ...earlier } = store.signIns.get(VAULT)!;
  store.signIns.set(VAULT, earlier);
  expect(await ask(open())).toBe("DPoP access-3");
});

/** Signs in; answers the forms that the token endpoint got after that. */
async function signedIn() {
  const forms: URLSearchParams[] = [];
  let count = 0;
  server.use(
    http.post(`${APP}/token`, async ({ request }) => {
      forms.push(new URLSearchParams(await request.text()));
      return HttpResponse.json(tokens(String(++count)));
    }),
  );
  const { store, clock, open } = setup();
  const session = open();
  const url = new URL(await session.authorizationUrl());
  await session.complete(
    new URLSearchParams({ code: "c", state: url.searchParams.get("state")!, iss: VAULT }),
  );
  return { session, store, clock, open, forms, url };
}

it("asks with PKCE, state and the thumbprint of a fresh DPoP key, and answers with the verifier", async () => {
  const { session, forms, url } = await signedIn();
  expect(url.origin + url.pathname).toBe(`${VAULT}/authorize`);
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    response_type: "code",
    client_id: "coffer-page",
    redirect_uri: `${APP}/`,
    code_challenge_method: "S256",
    dpop_jkt: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(forms[0]!.get("code_verifier")).toMatch(/^[\w-]{43}$/);
  expect(forms[0]!.get("grant_type")).toBe("authorization_code");
  expect(session.identity).toMatchObject({ tenant: "t", custodian: { dn: "CN=ada" } });
});

it("answers a redirect once, and only one of its own, from its own vault", async () => {
  const { session, url } = await signedIn();
  const state = url.searchParams.get("state")!;
  const again = session.complete(new URLSearchParams({ code: "c", state, iss: VAULT }));
  await expect(again).rejects.toMatchObject({ code: "sign-in-mismatch" });
  const other = new URL(await session.authorizationUrl()).searchParams.get("state")!;
  const foreign = session.complete(new URLSearchParams({ code: "c", state: other, iss: "http://evil.test" }));
  await expect(foreign).rejects.toMatchObject({ code: "sign-in-mismatch" });
  const silent = new URL(await session.authorizationUrl()).searchParams.get("state")!;
  const unnamed = session.complete(new URLSearchParams({ code: "c", state: silent }));
  await expect(unnamed).rejects.toMatchObject({ code: "sign-in-mismatch" });
  const third = new URL(await session.authorizationUrl()).searchParams.get("state")!;
  const refused = session.complete(new URLSearchParams({ error: "access_denied", state: third, iss: VAULT }));
  await expect(refused).rejects.toMatchObject({ code: "sign-in-refused" });
});

/** Keys as a script of the page's origin could plant them. */
const PLANTED: [string, () => Promise<CryptoKey | object>][] = [
  ["an extractable key", async () => (await ecKey("P-256", true)).privateKey],
  ["a key of another curve", async () => (await ecKey("P-384", false)).privateKey],
  ["a public key", async () => (await ecKey("P-256", false)).publicKey],
  ["what is no key", async () => ({ type: "private", extractable: false, usages: ["sign"] })],
];
const ecKey = (namedCurve: string, extractable: boolean) =>
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve }, extractable, ["sign", "verify"]);

it.each(PLANTED)("refuses %s that was planted for a sign-in under way", async (_, plant) => {
  const { session, store, forms } = await signedIn();
  const state = new URL(await session.authorizationUrl()).searchParams.get("state")!;
  const pending = (await store.take(state))!;
  await store.begin({ ...pending, key: { ...pending.key, privateKey: (await plant()) as CryptoKey } });
  const completing = session.complete(new URLSearchParams({ code: "c", state, iss: VAULT }));
  await expect(completing).rejects.toMatchObject({ code: "sign-in-mismatch" });
  expect(forms).toHaveLength(1);
});

it.each(PLANTED)("takes a stored sign-in with %s for none, and deletes it", async (_, plant) => {
  const { session, store, clock, open } = await signedIn();
  const [[vault, signIn]] = [...store.signIns] as [[string, SignIn]];
  const key = { ...signIn.key, privateKey: (await plant()) as CryptoKey };
  store.signIns.set(vault, { ...signIn, key });
  expect(await open().restore()).toBeUndefined();
  expect(store.signIns.size).toBe(0);
  store.signIns.set(vault, { ...signIn, key, expires: clock.now + 1e9 });
  clock.now += 700_000;
  await expect(session.authorize("GET", `${APP}/x`)).rejects.toMatchObject({ code: "signed-out" });
  expect(store.signIns.size).toBe(0);
});

it("survives a reload, and renews the token shortly before it ends", async () => {
  const { clock, open, forms } = await signedIn();
  const reloaded = open();
  expect(await reloaded.restore()).toMatchObject({ user: { name: "Ada" } });
  expect(await reloaded.authorize("GET", `${APP}/documents`)).toMatchObject({
    authorization: "DPoP access-1",
  });
  expect(forms).toHaveLength(1);
  clock.now += 575_000;
  expect(await reloaded.authorize("GET", `${APP}/documents`)).toMatchObject({
    authorization: "DPoP access-2",
  });
  expect(forms[1]!.get("refresh_token")).toBe("refresh-1");
});

it("spends a refresh token once, however many requests and tabs want it", async () => {
  const { session, clock, open, forms } = await signedIn();
  const tab = open();
  await tab.restore();
  clock.now += 700_000;
  const all = await Promise.all([session, tab, session, tab].map((one) => one.authorize("GET", `${APP}/x`)));
  expect(new Set(all.map(({ authorization }) => authorization))).toEqual(new Set(["DPoP access-2"]));
  expect(forms).toHaveLength(2);
});

it("keeps the sign-in while the server is away, and ends it when the refresh token is refused", async () => {
  const { session, store, clock } = await signedIn();
  clock.now += 700_000;
  server.use(http.post(`${APP}/token`, () => HttpResponse.error(), { once: true }));
  await expect(session.authorize("GET", `${APP}/x`)).rejects.toMatchObject({ code: "offline" });
  server.use(
    http.post(
      `${APP}/token`,
      // Longer than anybody waits.
      () =>
        HttpResponse.json({ code: "too-many-requests" }, { status: 429, headers: { "retry-after": "3600" } }),
      { once: true },
    ),
  );
  await expect(session.authorize("GET", `${APP}/x`)).rejects.toMatchObject({ code: "too-many-requests" });
  expect(store.signIns.size).toBe(1);
  server.use(
    http.post(`${APP}/token`, () =>
      HttpResponse.json({ error: "invalid_grant", code: "invalid-grant" }, { status: 400 }),
    ),
  );
  await expect(session.authorize("GET", `${APP}/x`)).rejects.toMatchObject({ code: "signed-out" });
  expect(store.signIns.size).toBe(0);
  expect(session.identity).toBeUndefined();
});

it("says that the clock is wrong, and by how much, when its proof is refused", async () => {
  const { session, store, clock } = await signedIn();
  const there = clock.now + 700_000;
  server.use(
    http.post(`${APP}/token`, () =>
      HttpResponse.json(
        { error: "invalid_dpop_proof", code: "invalid-proof" },
        { status: 401, headers: { date: new Date(there).toUTCString() } },
      ),
    ),
  );
  for (const [off, message] of [
    [7 * 60_000, "it is 7 minutes ahead of the server's"],
    [-7 * 60_000, "it is 7 minutes behind the server's"],
    [-301_000, "it is 5 minutes behind the server's"],
    [86_400_000 * 400, "it is 400 days ahead of the server's"],
  ] as const) {
    clock.now = there + off;
    const error = await session.authorize("GET", `${APP}/x`, true).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "clock-wrong" });
    expect(String(error)).toContain(message);
  }
  // With a clock that is right, something else was wrong with it.
  clock.now = there + 20_000;
  await expect(session.authorize("GET", `${APP}/x`, true)).rejects.toMatchObject({ code: "invalid-proof" });
  expect(store.signIns.size).toBe(1);
});

it("proves again with a nonce when the token endpoint asks for one (RFC 9449 §8)", async () => {
  const { session, clock } = await signedIn();
  clock.now += 700_000;
  const nonces: unknown[] = [];
  server.use(
    http.post(`${APP}/token`, ({ request }) => {
      const [, payload] = request.headers.get("dpop")!.split(".");
      const { nonce } = JSON.parse(Buffer.from(payload!, "base64url").toString()) as { nonce?: string };
      nonces.push(nonce);
      if (nonce === "n1") return HttpResponse.json(tokens("nonce"));
      return HttpResponse.json({ error: "use_dpop_nonce" }, { status: 400, headers: { "dpop-nonce": "n1" } });
    }),
  );
  expect(await session.authorize("GET", `${APP}/x`)).toMatchObject({ authorization: "DPoP access-nonce" });
  expect(nonces).toEqual([undefined, "n1"]);
});

it("comes again with a fresh proof when the server asks, at sign-in and at a renewal, and says that it waits", async () => {
  const proofs: string[] = [];
  // A code is used up by an outage, a refresh token is not.
  const turns = [429, 200, 429, 503, 200].values();
  server.use(
    http.post(`${APP}/token`, ({ request }) => {
      proofs.push(request.headers.get("dpop")!);
      const status = turns.next().value!;
      if (status === 200) return HttpResponse.json(tokens(String(proofs.length)));
      return HttpResponse.json({ code: "x" }, { status, headers: { "retry-after": "7" } });
    }),
  );
  const { clock, open, waits, told } = setup();
  const session = open();
  const url = new URL(await session.authorizationUrl());
  const answer = { code: "c", state: url.searchParams.get("state")!, iss: VAULT };
  const identity = await session.complete(new URLSearchParams(answer)).catch((error: unknown) => error);
  expect(identity).toMatchObject({ tenant: "t" });
  clock.now += 700_000;
  expect(await session.authorize("GET", `${APP}/x`)).toMatchObject({ authorization: "DPoP access-5" });
  expect(waits).toHaveLength(3);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(7000);
  expect(told).toEqual(waits);
  expect(new Set(proofs).size).toBe(5);
});
