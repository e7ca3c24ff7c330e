/** Two tenants with a provider of their own each: a genuine answer of one is none to a sign-in that was begun at the other (mix-up). */

import { afterAll, beforeAll, expect, it } from "vitest";
import { BY_NAME } from "#cli/development-issuer.ts";
import { CALLBACK } from "#edge/oidc.ts";
import { type IdentityProvider, startIdentityProvider } from "#emulator/identity-provider/index.ts";
import { cookieOf, EdgeClient, newVerifier } from "../support/edge-client.ts";
import { send } from "../support/http.ts";
import { type System, startSystem } from "../support/start.ts";

type Origins = Pick<System, "appOrigin" | "vaultOrigin">;

let system: System;
let umbrellas: IdentityProvider;
let tenants: { origins: Origins; provider: IdentityProvider }[];

beforeAll(async () => {
  const client = { id: "umbrella", redirectUris: [] as string[], afterLogout: [] };
  umbrellas = await startIdentityProvider({ port: 0, clients: [client] });
  const oidc = {
    ...{ issuer: umbrellas.issuer, clientId: client.id },
    development: { issuer: BY_NAME, subject: "name" as const },
  };
  system = await startSystem({ otherTenants: ["umbrella"], tenantSettings: { umbrella: { oidc } } });
  const umbrella = system.tenant("umbrella");
  client.redirectUris.push(umbrella.vaultOrigin + CALLBACK);
  tenants = [
    { origins: system, provider: system.running.provider! },
    { origins: umbrella, provider: umbrellas },
  ];
});
afterAll(async () => {
  await system?.close();
  await umbrellas?.close();
});

/** A browser that has left for its tenant's provider. */
async function left(at: Origins) {
  const browser = new EdgeClient(at);
  const query = await browser.query(newVerifier());
  return { browser, query, ...(await browser.leave(query)) };
}
const callback = (vault: string, answer: URLSearchParams, cookie: string) =>
  send(`${vault}${CALLBACK}?${answer}`, { headers: { cookie } });

it("each tenant's people are asked by their own provider, and are signed in by its answer", async () => {
  for (const { origins, provider } of tenants) {
    const { browser, query, provider: at, transaction } = await left(origins);
    expect(at.origin).toBe(provider.issuer);
    const back = await browser.type("Ada", at);
    const answer = await send(back.href, { headers: { cookie: transaction } });
    expect([answer.status, answer.headers.location]).toEqual([303, `/authorize?${query}`]);
  }
});

it.each([
  [0, 1],
  [1, 0],
])(
  "the genuine answer of a tenant's provider, brought to another tenant's vault, signs nobody in (of %s to %s)",
  async (of, to) => {
    const [elsewhere, here] = [tenants[of]!, tenants[to]!];
    const [theirs, ours] = [await left(elsewhere.origins), await left(here.origins)];
    const genuine = (await theirs.browser.type("Mallory", theirs.provider)).searchParams;
    expect(genuine.get("iss")).toBe(elsewhere.provider.issuer);
    const asked = () => tenants.map(({ provider }) => provider.asked("/token"));
    const before = asked();
    // As it is; and as an answer to what was begun here, which it says by the state.
    const mixed = new URLSearchParams(genuine);
    mixed.set("state", ours.provider.searchParams.get("state")!);
    for (const [answer, status, sentence] of [
      [genuine, 400, "This sign-in is over"],
      [mixed, 403, "cannot be trusted"],
    ] as const) {
      const refused = await callback(ours.browser.vault, answer, ours.transaction);
      expect(refused.text).toContain(sentence);
      expect([refused.status, refused.headers.location]).toEqual([status, undefined]);
      expect(cookieOf(refused)).not.toMatch(/=[^;]/);
    }
    // Neither provider was shown the other's code.
    expect(asked()).toEqual(before);
    // At home it is as good as it was.
    const home = await callback(theirs.browser.vault, genuine, theirs.transaction);
    expect(home.status).toBe(303);
  },
);

it("an answer that names this tenant's provider, and has another one's code, signs nobody in", async () => {
  const [here, elsewhere] = [tenants[0]!, tenants[1]!];
  const [ours, theirs] = [await left(here.origins), await left(elsewhere.origins)];
  const forged = (await theirs.browser.type("Mallory", theirs.provider)).searchParams;
  forged.set("state", ours.provider.searchParams.get("state")!);
  forged.set("iss", here.provider.issuer);
  const refused = await callback(ours.browser.vault, forged, ours.transaction);
  expect(refused.text).toContain("cannot be trusted");
  expect([refused.status, refused.headers.location]).toEqual([403, undefined]);
});
