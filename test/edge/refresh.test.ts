/** A refresh token is answered again, to the same key, as long as its successor was not used: docs/decisions/0024. */

import { expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { signIn } from "#cli/sign-in.ts";
import { createDpopKey } from "#web/client/dpop.ts";
import { CustodianSession } from "#web/client/session.ts";
import { memorySignInStore } from "#web/client/sign-in.ts";
import { EdgeClient, type Tokens } from "../support/edge-client.ts";
import { json, send } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem();

async function signedIn(name: string) {
  const browser = await EdgeClient.signedIn(system, name);
  const { refresh_token: first } = browser.tokens;
  const refresh = async (token: string) => {
    const answer = await browser.refresh(token);
    return answer.status === 200 ? json<Tokens>(answer).refresh_token : answer.status;
  };
  return { browser, first, refresh };
}

it("after a lost answer the same token is good for the same next one, also after a restart", async () => {
  const { browser, first, refresh } = await signedIn("Ada");
  const lost = await refresh(first);
  await system.restart();
  const again = json<Tokens>(await browser.refresh(first));
  expect(again.refresh_token).toBe(lost);
  browser.tokens = again;
  const list = browser.documents;
  expect((await browser.rest("GET", list)).status).toBe(200);
  expect(await refresh(again.refresh_token)).toEqual(expect.any(String));
});

it("a kit whose refresh was answered into nothing goes on, and does not ask the person to sign in", async () => {
  let lose = false;
  const { appOrigin: app, vaultOrigin: vault } = system;
  const session = new CustodianSession({
    vault,
    app,
    client: app,
    redirectUri: `${app}/`,
    store: memorySignInStore(),
    fetch: async (input, init) => {
      const answer = await fetch(input, init);
      if (!lose) return answer;
      lose = false;
      throw new TypeError("the answer was lost");
    },
    now: Date.now,
    lock: (_name, work) => work(),
  });
  const { location } = await signIn(loopbackFetch, await session.authorizationUrl(), "Bob");
  await session.complete(location.searchParams);
  const url = `${app}/ra/instances`;
  for (let i = 0; i < 3; i++) {
    lose = true;
    await expect(session.authorize("GET", url, true)).rejects.toMatchObject({ code: "offline" });
    const authorized = await session.authorize("GET", url, true);
    expect((await send(url, { headers: authorized })).status).toBe(200);
  }
});

it("two tabs that refresh at once get one next token, and both go on", async () => {
  const { first, refresh } = await signedIn("Carol");
  let tokens: (string | number)[] = await Promise.all([refresh(first), refresh(first), refresh(first)]);
  for (let i = 0; i < 3; i++) {
    expect(new Set(tokens).size).toBe(1);
    tokens = await Promise.all(tokens.map((token) => refresh(String(token))));
  }
  expect(tokens).not.toContain(400);
});

it("a refresh that the HSM could not sign ends neither that tab nor another one that asked at once", async () => {
  const { first, refresh } = await signedIn("Dora");
  const { hsm } = system.running;
  await hsm.close();
  hsm.close = async () => {}; // the restart would close it again
  expect(await Promise.all([refresh(first), refresh(first)])).toEqual([503, 503]);
  await system.restart();
  const second = await refresh(first);
  expect(await refresh(String(second))).toEqual(expect.any(String));
});

it("another key that presents the token that was used last ends the sign-in", async () => {
  const { first, refresh } = await signedIn("Eve");
  const second = await refresh(first);
  const thief = new EdgeClient(system);
  thief.key = await createDpopKey();
  expect((await thief.refresh(first)).status).toBe(400);
  expect(await refresh(String(second))).toBe(400);
});

it("a token whose next one was used ends the sign-in, no matter who presents it", async () => {
  const { first, refresh } = await signedIn("Finn");
  const third = await refresh(String(await refresh(first)));
  expect(await refresh(first)).toBe(400);
  expect(await refresh(String(third))).toBe(400);
});

it("no token and nothing that could be used as one is kept", async () => {
  const { first, refresh } = await signedIn("Gil");
  const second = String(await refresh(first));
  const kept = JSON.stringify(["refresh_tokens", "families"].map((table) => readRows(system.edgeDir, table)));
  for (const token of [first, second]) expect(kept.includes(token)).toBe(false);
});
