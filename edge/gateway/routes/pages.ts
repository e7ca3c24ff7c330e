import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { AuthorizeAnswer } from "../../iam/index.ts";
import type { Result } from "../../result.ts";
import { serveAsset } from "../assets.ts";
import { readForm } from "../body.ts";
import { type GatewayContext, type GatewayEnv, tenantOf } from "../context.ts";
import { clearSessionCookie, sessionCookie, setSessionCookie } from "../cookie.ts";
import { accountPolicy, signInPolicy, vaultPolicy } from "../headers.ts";
import { accountPage } from "../pages/account.ts";
import { signInPage } from "../pages/sign-in.ts";
import { pageStyle } from "../pages/style.ts";
import { Refused, refused, unwrap } from "../problem.ts";
import { requireOwnOrigin } from "../session.ts";

const AGAIN = {
  early: "That was too quick to count. Read the page, then press the button.",
  late: "This page was open for too long, or you signed in elsewhere meanwhile. Answer once more.",
};

/**
 * The pages on which the vault asks a person. Each has a ticket in its form, and takes an answer from itself alone, not
 * sooner than a person could have read it.
 */
export function vaultPages(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => serveAsset(c, "index.html", vaultPolicy(c.var.origins)));

  site.get("/authorize", personOnly(), async (c) => {
    const query = new URL(c.req.url).search.slice(1);
    const asked = { tenant: tenantOf(c), query, cookie: sessionCookie(c) };
    return answer(c, query, await c.env.IAM.authorize(asked));
  });
  // The one way to a code with a session: a person pressed the button on the vault's own page. A script of an app can
  // open that page, and can neither press the button nor post as it.
  site.post("/authorize", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const [query, ticket] = [form.get("continue") ?? "", form.get("ticket") ?? ""];
    const { requestId } = c.var;
    const asked = { tenant: tenantOf(c), query, cookie: sessionCookie(c) };
    const approved = await c.env.IAM.approve({ ...asked, ticket, requestId });
    return (await askToWait(c, asked, approved)) ?? answer(c, query, approved);
  });

  site.get("/account", personOnly(), (c) => account(c));
  site.post("/account", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const cookie = sessionCookie(c);
    const { requestId } = c.var;
    if (cookie === null) return c.redirect("/account", 303);
    const [app, ticket] = [form.get("app") ?? null, form.get("ticket") ?? ""];
    const tenant = tenantOf(c);
    const { again } = unwrap(await c.env.IAM.leave({ tenant, cookie, app, ticket, requestId }));
    if (again !== undefined) return account(c, AGAIN[again]);
    if (app === null) clearSessionCookie(c);
    return c.redirect("/account", 303);
  });

  site.get("/page.css", (c) => c.body(pageStyle, 200, { "content-type": "text/css; charset=utf-8" }));
  return site;
}

/** Signing in by name: a site of its own, which only development has. What does not exist cannot be talked into anything. */
export function developmentPages(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.post("/sign-in", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const query = form.get("continue") ?? "";
    const { requestId } = c.var;
    const [name, cookie] = [form.get("name") ?? "", sessionCookie(c)];
    const ticket = isProgram(c) && cookie === null ? null : (form.get("ticket") ?? "");
    const asked = { tenant: tenantOf(c), query, cookie };
    const result = await c.env.IAM.signIn({ ...asked, name, ticket, requestId });
    if (!result.ok && result.problem.code === "bad-request") {
      const again = await c.env.IAM.authorize(asked);
      return answer(c, query, again, { mistake: "Type a name of 1 to 64 characters.", name: true });
    }
    const wait = ticket === null ? null : await askToWait(c, asked, result);
    if (wait !== null) return wait;
    if (result.ok && "session" in result.value && result.value.session !== undefined) {
      const { cookie, maxAge } = result.value.session;
      setSessionCookie(c, cookie, maxAge);
    }
    if (result.ok && result.value.next === "ask") return answer(c, query, result, { name: true });
    return answer(c, query, result);
  });
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

/** Every browser says what a request is for (Fetch Metadata), and no script can keep it from that. */
function isProgram(c: GatewayContext): boolean {
  return ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"].every(
    (name) => c.req.header(name) === undefined,
  );
}

/** The account page; `mistake` where its form did not count. */
async function account(c: GatewayContext, mistake?: string): Promise<Response> {
  const cookie = sessionCookie(c);
  const found = cookie === null ? null : unwrap(await c.env.IAM.account({ tenant: tenantOf(c), cookie }));
  const policy = { "content-security-policy": accountPolicy(c.var.origins) };
  return c.html(accountPage(found, mistake), mistake === undefined ? 200 : 400, policy);
}

/** The question again, where there were too many answers of late; null for any other answer. */
async function askToWait(
  c: GatewayContext,
  asked: { tenant: string; query: string; cookie: string | null },
  result: Result<unknown>,
): Promise<Response | null> {
  if (result.ok || result.problem.code !== "too-many-requests") return null;
  const { retryAfter = 1 } = result.problem;
  const seconds = retryAfter === 1 ? "a second" : `${retryAfter} seconds`;
  const mistake = `You signed in very often in the last minute. Wait ${seconds}, then press the button.`;
  return answer(c, asked.query, await c.env.IAM.authorize(asked), { mistake, retryAfter });
}

/** What is wrong with an answer: `name` where the name is asked for again, `retryAfter` where it came too soon after others. */
type Mistake = { mistake?: string; name?: true; retryAfter?: number };

/** What the IAM said, as a redirect to the app or as a page for the person. */
function answer(
  c: GatewayContext,
  query: string,
  result: Result<AuthorizeAnswer>,
  said?: Mistake,
): Response | Promise<Response> {
  const headers: Record<string, string> = { "content-security-policy": signInPolicy(c.var.origins) };
  if (said?.retryAfter !== undefined) headers["retry-after"] = String(said.retryAfter);
  if (!result.ok) {
    const { code, status } = result.problem;
    if (code !== "invalid-client") throw refused(result.problem);
    return c.html(
      signInPage({ kind: "unknown-client" }, { nobody: sessionCookie(c) === null }),
      status as 400,
      headers,
    );
  }
  const { value } = result;
  // After a form the browser must come with GET (RFC 9110 §15.4.4).
  if (value.next === "redirect") return c.redirect(value.location, c.req.method === "POST" ? 303 : 302);
  const { name, byName, ticket, declined, again } = value;
  const by = { nobody: name === null };
  const mistake = said?.mistake ?? (again && AGAIN[again]);
  const status = mistake === undefined ? 200 : said?.retryAfter === undefined ? 400 : 429;
  const question = { app: new URL(value.origin).host, query, ticket, declined, mistake };
  const another = new URLSearchParams(query).get("prompt") === "login" && c.req.method === "GET";
  if (name !== null && !(byName && (another || said?.name))) {
    return c.html(signInPage({ kind: "continue", name, byName, ...question }, by), status, headers);
  }
  if (!byName) return c.html(signInPage({ kind: "no-sign-in" }, by), 403, headers);
  return c.html(signInPage({ kind: "name", ...question }, by), status, headers);
}
