import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { AuthorizeAnswer } from "../../iam/index.ts";
import { CALLBACK } from "../../oidc.ts";
import { ok, type Result } from "../../result.ts";
import { serveAsset } from "../assets.ts";
import { readForm } from "../body.ts";
import { type GatewayContext, type GatewayEnv, tenantOf } from "../context.ts";
import {
  clearSessionCookie,
  clearTransactionCookie,
  sessionCookie,
  setSessionCookie,
  setTransactionCookie,
  transactionCookie,
} from "../cookie.ts";
import { accountPolicy, signInPolicy, vaultPolicy } from "../headers.ts";
import { paceByAddress } from "../pace-by-address.ts";
import { accountPage } from "../pages/account.ts";
import type { Presence } from "../pages/html.ts";
import { type Mistake, signInPage } from "../pages/sign-in.ts";
import { pageStyle } from "../pages/style.ts";
import { type Language, languageOf, type Words } from "../pages/words.ts";
import { Refused, refused, unwrap } from "../problem.ts";
import { requireOwnOrigin } from "../session.ts";

const AGAIN = {
  early: "That was too quick to count. Read the page, then press the button.",
  late: "This page was open for too long, or you signed in elsewhere meanwhile. Answer once more.",
} as const satisfies Record<string, Words>;

/**
 * The document under an address with a query, of which a page makes another one each time that there is a network (web/browser/vault.ts): so it is
 * never taken from there where a newer one could be had. A day is as long as an instance's certificate is good without a network.
 */
const KEPT = "private, max-age=86400";

/**
 * The pages on which the vault asks a person. Each has a ticket in its form, and takes an answer from itself alone, not
 * sooner than a person could have read it.
 */
export function vaultPages(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => {
    const kept = new URL(c.req.url).search === "" ? undefined : KEPT;
    return serveAsset(c, "index.html", vaultPolicy(c.var.origins), kept);
  });

  site.get("/authorize", paceByAddress(), personOnly(), async (c) => {
    const query = queryOf(c);
    return answer(c, query, await c.env.IAM.authorize(asked(c, query)));
  });
  // The one way to a code with a session: a person pressed the button on the vault's own page. A script of an app can
  // open that page, and can neither press the button nor post as it.
  site.post("/authorize", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const [query, ticket] = [form.get("continue") ?? "", form.get("ticket") ?? ""];
    const { requestId } = c.var;
    const approved = await c.env.IAM.approve({ ...asked(c, query), ticket, requestId });
    return (await askToWait(c, query, approved)) ?? answer(c, query, approved);
  });

  // From the provider the browser brings no cookie that is Strict: it goes on to a page of this site, which asks.
  site.get(CALLBACK, paceByAddress(), personOnly(), async (c) => {
    const { requestId } = c.var;
    const back = { tenant: tenantOf(c), query: queryOf(c), transaction: transactionCookie(c), requestId };
    const identified = await c.env.IAM.identify(back);
    if (!identified.ok) {
      // Whoever sends a browser here with a made-up answer ends nothing that is under way in it.
      if (identified.answer.next === "failed" && identified.answer.failure !== "stale")
        clearTransactionCookie(c);
      return answer(c, "", ok(identified.answer));
    }
    setTransactionCookie(c, identified.transaction, identified.maxAge);
    return c.redirect(`/authorize?${identified.query}`, 303);
  });
  site.post("/sign-in", paceByAddress(), ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const query = form.get("continue") ?? "";
    const { requestId } = c.var;
    const ticket = isProgram(c) ? null : (form.get("ticket") ?? "");
    const result = await c.env.IAM.signIn({ ...asked(c, query), ticket, requestId });
    const wait = ticket === null ? null : await askToWait(c, query, result);
    if (wait !== null) return wait;
    if (result.ok && result.value.session !== undefined)
      setSessionCookie(c, result.value.session.cookie, result.value.session.maxAge);
    if (result.ok && result.value.finished === true) clearTransactionCookie(c);
    return answer(c, query, result);
  });
  // Of the provider, which has no cookie and no page: its token says who signed out there.
  site.post("/back-channel-logout", async (c) => {
    const token = (await readForm(c.req.raw)).get("logout_token") ?? "";
    unwrap(await c.env.IAM.loggedOut({ tenant: tenantOf(c), token, requestId: c.var.requestId }));
    return c.body(null, 200);
  });

  site.get("/account", personOnly(), (c) => account(c));
  site.post("/account", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const cookie = sessionCookie(c);
    const { requestId } = c.var;
    if (cookie === null) return c.redirect("/account", 303);
    const [app, ticket] = [form.get("app") ?? null, form.get("ticket") ?? ""];
    const tenant = tenantOf(c);
    const { again, logout } = unwrap(await c.env.IAM.leave({ tenant, cookie, app, ticket, requestId }));
    if (again !== undefined) return account(c, AGAIN[again]);
    if (app === null) clearSessionCookie(c);
    // Only where the page's policy lets its form lead.
    const out = logout && form.get("provider") === new URL(logout).origin ? logout : "/account";
    return c.redirect(out, 303);
  });

  site.get("/page.css", (c) => c.body(pageStyle, 200, { "content-type": "text/css; charset=utf-8" }));
  return site;
}

/** A person goes there; frames, scripts and images do not. */
function personOnly() {
  return createMiddleware<GatewayEnv>(async function personOnly(c, next) {
    const destination = c.req.header("sec-fetch-dest");
    if (destination !== undefined && destination !== "document") throw new Refused("foreign-origin");
    await next();
  });
}

function ownOrigin() {
  return createMiddleware<GatewayEnv>(async function ownOrigin(c, next) {
    requireOwnOrigin(c);
    await next();
  });
}

function queryOf(c: GatewayContext): string {
  return new URL(c.req.url).search.slice(1);
}

/** The request that the page is about, and what the browser shows with it. */
function asked(c: GatewayContext, query: string) {
  return { tenant: tenantOf(c), query, cookie: sessionCookie(c), transaction: transactionCookie(c) };
}

/**
 * A program in development, which has no page. Every browser says what a request is for (Fetch Metadata), and no script can
 * keep it from that; and where somebody's session is at stake it counts as one.
 */
function isProgram(c: GatewayContext): boolean {
  if (c.env.COFFER_ENVIRONMENT !== "development" || sessionCookie(c) !== null) return false;
  return ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"].every(
    (name) => c.req.header(name) === undefined,
  );
}

/** The account page; `mistake` where its form did not count. */
async function account(c: GatewayContext, mistake?: Words): Promise<Response> {
  const cookie = sessionCookie(c);
  const found = cookie === null ? null : unwrap(await c.env.IAM.account({ tenant: tenantOf(c), cookie }));
  const provider = found?.logout ? new URL(found.logout).origin : null;
  const policy = { "content-security-policy": accountPolicy(c.var.origins, provider) };
  return c.html(
    accountPage(found && { ...found, provider }, languageFor(c), mistake),
    mistake === undefined ? 200 : 400,
    policy,
  );
}

/** The question again, where there were too many answers of late; null for any other answer. */
async function askToWait(
  c: GatewayContext,
  query: string,
  result: Result<unknown>,
): Promise<Response | null> {
  if (result.ok || result.problem.code !== "too-many-requests") return null;
  const { retryAfter = 1 } = result.problem;
  const words: Words =
    retryAfter === 1
      ? "You signed in very often in the last minute. Wait a second, then press the button."
      : "You signed in very often in the last minute. Wait {seconds} seconds, then press the button.";
  return answer(c, query, await c.env.IAM.authorize(asked(c, query)), { words, seconds: retryAfter });
}

/** Not the person's fault: where they go on later, or somebody else has to do something. */
const FAILED = { declined: 403, stale: 400, invalid: 403, unavailable: 503 } as const;

/** What the IAM said, as a redirect to the app or to the provider, or as a page for the person. */
function answer(
  c: GatewayContext,
  query: string,
  result: Result<AuthorizeAnswer>,
  /** It came too soon after others. */
  said?: Required<Mistake>,
): Response | Promise<Response> {
  const headers: Record<string, string> = { "content-security-policy": signInPolicy(c.var.origins) };
  if (said !== undefined) headers["retry-after"] = String(said.seconds);
  const page = (page: Parameters<typeof signInPage>[0], status: 200 | 400 | 403 | 429 | 503) =>
    c.html(signInPage(page, presence(c), languageFor(c)), status, headers);
  if (!result.ok) {
    if (result.problem.code !== "invalid-client") throw refused(result.problem);
    return page({ kind: "unknown-client" }, 400);
  }
  const { value } = result;
  switch (value.next) {
    // After a form the browser must come with GET (RFC 9110 §15.4.4).
    case "redirect":
      return c.redirect(value.location, c.req.method === "POST" ? 303 : 302);
    case "leave":
      setTransactionCookie(c, value.transaction, value.maxAge);
      return c.redirect(value.location, 302);
    case "no-provider":
      return page({ kind: "no-sign-in" }, 403);
    case "failed": {
      const { failure, of } = value;
      return page({ kind: "failed", failure, of, requestId: c.var.requestId }, FAILED[failure]);
    }
    case "begin": {
      const { declined, origin } = value;
      return page({ kind: "begin", app: new URL(origin).host, query, declined, mistake: said }, 400);
    }
    case "ask": {
      const { origin, next: _, again, ...question } = value;
      const mistake = said ?? (again && { words: AGAIN[again] });
      const status = mistake === undefined ? 200 : said === undefined ? 400 : 429;
      return page({ kind: "continue", ...question, app: new URL(origin).host, query, mistake }, status);
    }
  }
}

function languageFor(c: GatewayContext): Language {
  return languageOf(c.req.header("accept-language"));
}

/** From another site a browser does not show its session. */
function presence(c: GatewayContext): Presence {
  if (sessionCookie(c) !== null) return "some";
  const elsewhere = transactionCookie(c) !== null || c.req.header("sec-fetch-site") === "cross-site";
  return elsewhere ? "unknown" : "none";
}
