/** The vault's pages as the server sees them: what counts as an answer, and what ends what. */

import { describe, expect, it } from "vitest";
import { EdgeClient, newVerifier, readTicket, type Tokens, ticketOf } from "../support/edge-client.ts";
import { type Answer, json, send } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["second"] });

/** Signed in at the vault and in the shipped page. */
async function signedIn(name: string): Promise<{ browser: EdgeClient; tokens: Tokens }> {
  const browser = await EdgeClient.signedIn(system, name);
  return { browser, tokens: browser.tokens };
}
/** The same browser in the second app. */
async function inSecondApp(first: EdgeClient): Promise<{ browser: EdgeClient; tokens: Tokens }> {
  const browser = new EdgeClient({ ...system, appOrigin: secondOrigin() });
  browser.cookie = first.cookie;
  const verifier = newVerifier();
  await browser.take(await browser.approve(await browser.query(verifier)), verifier);
  return { browser, tokens: browser.tokens };
}
const secondOrigin = () => system.origin("second");
const post = (browser: EdgeClient, path: string, form: Record<string, string>, headers = {}) =>
  browser.form(browser.vault + path, form, { origin: browser.vault, cookie: browser.cookie, ...headers });
const lives = async ({ browser }: { browser: EdgeClient }) =>
  (await browser.rest("POST", "/ra/grants", {})).status === 201;
const session = (browser: EdgeClient) =>
  send(`${browser.vault}/session`, { headers: { cookie: browser.cookie } }).then(({ status }) => status);
const account = (browser: EdgeClient): Promise<Answer> =>
  send(`${browser.vault}/account`, { headers: { cookie: browser.cookie } });

describe("the question before a code", () => {
  it("is not answered by what comes sooner than a person could read it, and is asked again", async () => {
    const { browser } = await signedIn("Ada");
    const query = await browser.query(newVerifier());
    const answer = (ticket: string, about = query) =>
      post(browser, "/authorize", { continue: about, ticket });
    for (let again = 0; again < 3; again++) {
      const ticket = ticketOf((await browser.authorize(query)).text);
      const early = await answer(ticket);
      expect(early.status).toBe(400);
      expect(early.headers.location).toBeUndefined();
      expect(early.text).toContain("too quick");
      expect(early.text).toContain("Continue as");
      expect(ticketOf(early.text)).not.toBe("");
    }
    const ticket = await readTicket(await browser.authorize(query));
    for (const [made, about] of [
      ["", query],
      [`${Date.now() - 5000}.${"A".repeat(43)}`, query],
      [ticket, `${query}&more=1`],
      [ticket, query.replace("state=state", "state=other")],
    ] as const) {
      const refused = await answer(made, about);
      expect([refused.status, refused.headers.location]).toEqual([400, undefined]);
    }
    const { browser: other } = await signedIn("Grace");
    const foreign = await post(other, "/authorize", { continue: query, ticket });
    expect([foreign.status, foreign.headers.location]).toEqual([400, undefined]);
    expect(await answer(ticket)).toMatchObject({ status: 303 });
    await expect
      .poll(() =>
        readRows(system.edgeDir, "links")
          .map((row) => String(row.entry))
          .join(),
      )
      .toContain("answered too early");
  });

  it("says which app asks and what began it, and lets the person decline", async () => {
    const { browser } = await signedIn("Ada");
    const page = await browser.authorize(await browser.query(newVerifier(), { state: "a&b" }));
    expect(page.text).toContain(
      `because you pressed “Sign in” on <strong>${new URL(browser.app).host}</strong>`,
    );
    const [, href] = /<a href="([^"]*)" data-decline>Cancel<\/a>/.exec(page.text)!;
    const declined = new URL(href!.replaceAll("&amp;", "&"));
    expect(declined.origin).toBe(browser.app);
    expect(Object.fromEntries(declined.searchParams)).toEqual({
      error: "access_denied",
      state: "a&b",
      iss: browser.vault,
    });
  });

  it("holds in a browser for who has just come back from the provider too", async () => {
    const { browser } = await signedIn("Ada");
    const query = await browser.query(newVerifier());
    const metadata = {
      "sec-fetch-site": "same-origin",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
    };
    const own = { origin: browser.vault };
    const eve = new EdgeClient(system);
    const transaction = await eve.identify("Eve", query);
    const question = () => send(`${eve.vault}/authorize?${query}`, { headers: { cookie: transaction } });
    const asked = async () => ticketOf((await question()).text);
    expect((await question()).text).toContain("Continue as <bdi>Eve</bdi>");
    // From a browser, whatever else it sends; and with a session at stake, no matter who sends it.
    for (const headers of [
      { ...own, ...metadata },
      { ...own, "sec-fetch-mode": "navigate" },
      { ...own, cookie: `${transaction}; ${browser.cookie}` },
    ] as Record<string, string>[])
      for (const ticket of ["", await asked()]) {
        const early = await eve.enter(query, transaction, { ticket }, headers);
        expect([early.status, early.headers["set-cookie"], early.headers.location]).toEqual([
          400,
          undefined,
          undefined,
        ]);
      }
    const ticket = await readTicket(await question());
    // Of this person's question, and of no other's.
    const other = await eve.identify("Mallory", query);
    expect(await eve.enter(query, other, { ticket }, metadata)).toMatchObject({ status: 400 });
    expect(await eve.enter(query, transaction, { ticket }, metadata)).toMatchObject({ status: 303 });
  });
});

describe("signing out", () => {
  it("from one app ends that app's sign-in alone", async () => {
    const first = await signedIn("Ada");
    const second = await inSecondApp(first.browser);
    expect([await lives(first), await lives(second)]).toEqual([true, true]);
    const out = await send(`${first.browser.vault}/sign-out`, {
      method: "POST",
      headers: { origin: second.browser.app, cookie: first.browser.cookie },
    });
    expect(out.status).toBe(204);
    expect(out.headers["set-cookie"]).toBeUndefined();
    expect([await lives(first), await lives(second)]).toEqual([true, false]);
    expect(await session(first.browser)).toBe(200);
    expect((await second.browser.refresh(second.tokens.refresh_token)).status).toBe(400);
    expect((await first.browser.refresh(first.tokens.refresh_token)).status).toBe(200);
  });

  it("from an unknown app, or from nowhere, ends nothing", async () => {
    const first = await signedIn("Ada");
    for (const origin of ["null", "http://evil.example", undefined]) {
      const headers = { cookie: first.browser.cookie, ...(origin !== undefined && { origin }) };
      const out = await send(`${first.browser.vault}/sign-out`, { method: "POST", headers });
      expect(json(out)).toMatchObject({ code: "foreign-origin" });
    }
    expect([await lives(first), await session(first.browser)]).toEqual([true, 200]);
  });

  it("the vault's page lists the apps, and ends one of them or all", async () => {
    const first = await signedIn("Grace <b>");
    const second = await inSecondApp(first.browser);
    const page = await account(first.browser);
    expect(page.text).toContain("<bdi>Grace &lt;b&gt;</bdi>");
    for (const { browser } of [first, second]) expect(page.text).toContain(`href="${browser.app}/"`);
    expect(page.headers).toMatchObject({
      "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
    });
    const ticket = await readTicket(page);
    const leave = await post(first.browser, "/account", { ticket, app: second.browser.app });
    expect(leave).toMatchObject({ status: 303, headers: { location: "/account" } });
    expect([await lives(first), await lives(second)]).toEqual([true, false]);
    expect((await account(first.browser)).text).not.toContain(`href="${second.browser.app}/"`);
    const everywhere = await post(first.browser, "/account", { ticket });
    expect(everywhere.headers["set-cookie"]).toMatch(/=; Max-Age=0;/);
    expect([await lives(first), await session(first.browser)]).toEqual([false, 401]);
    expect((await account(first.browser)).text).toContain("You are signed out");
  });

  it("takes the page's form from itself alone, with its ticket, and not too soon", async () => {
    const first = await signedIn("Ada");
    const early = await post(first.browser, "/account", {
      ticket: ticketOf((await account(first.browser)).text),
    });
    expect(early.status).toBe(400);
    const ticket = await readTicket(await account(first.browser));
    for (const headers of [
      { origin: first.browser.app },
      { origin: "null" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site" },
    ])
      expect(json(await post(first.browser, "/account", { ticket }, headers))).toMatchObject({
        code: "foreign-origin",
      });
    const query = await first.browser.query(newVerifier());
    const other = await readTicket(await first.browser.authorize(query));
    expect((await post(first.browser, "/account", { ticket: other })).status).toBe(400);
    expect((await post(first.browser, "/account", {})).status).toBe(400);
    const unknown = await post(first.browser, "/account", { ticket, app: "http://evil.example" });
    expect(json(unknown)).toMatchObject({ code: "foreign-origin" });
    for (const destination of ["iframe", "empty", "image"]) {
      const headers = { cookie: first.browser.cookie, "sec-fetch-dest": destination };
      expect((await send(`${first.browser.vault}/account`, { headers })).status).toBe(403);
    }
    expect([await lives(first), await session(first.browser)]).toEqual([true, 200]);
  });
});
