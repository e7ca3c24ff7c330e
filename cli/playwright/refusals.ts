/** What a browser context meets in place of what the edge would answer: a token that has expired, a datastore that lies. */

import type { BrowserContext, Route } from "playwright/test";
import type { CofferDeployment } from "./deployment.ts";

/**
 * `alters`: one bit of the content is another; `cuts`: its end is missing; `swaps`: it has the content of the document that was asked for before it;
 * `hides`: documents are neither in the list nor found; `refuses`: it answers 503.
 */
export type Lie = "alters" | "cuts" | "swaps" | "hides" | "refuses";

export interface Refusals {
  /**
   * Access tokens that were given until now count no more: what comes with one is sent with a token that the edge refuses. One that is got afterwards
   * counts, as after the life of a token.
   */
  tokenExpired(): void;
  /** No token is given for a sign-in any more: whoever is signed in is signed out at the next request. */
  signInExpired(): void;
  /** The datastore lies from now on. */
  datastoreLies(lie: Lie): void;
  /** All is as it was. */
  mend(): void;
}

const CONTENT = /^\/accounts\/[^/]+\/documents\/[^/]+\/content$/;
const DOCUMENTS = /^\/accounts\/[^/]+\/documents(?:\/[^/]+\/(?:content|metadata))?$/;

/** Has a context's requests to the app's origin pass here. */
export async function refusalsIn(
  context: BrowserContext,
  { appOrigin }: Pick<CofferDeployment, "appOrigin">,
): Promise<Refusals> {
  /** Tokens that count; undefined: all do. */
  let fresh: Set<string> | undefined;
  let signInExpired = false;
  let lie: Lie | undefined;
  let before: Buffer | undefined;

  const tokens = async (route: Route) => {
    if (signInExpired) {
      const json = { error: "invalid_grant" };
      return route.fulfill({ status: 400, json });
    }
    const answer = await route.fetch();
    const { access_token: token } = (await answer.json().catch(() => ({}))) as { access_token?: string };
    if (token !== undefined) fresh?.add(token);
    return route.fulfill({ response: answer });
  };

  const lying = async (route: Route, { method, path, headers }: Asked) => {
    const known = method === "GET" && DOCUMENTS.test(path);
    if (!known || lie === undefined) return route.continue({ headers });
    if (lie === "refuses") return route.fulfill(problem("internal", 503));
    if (lie === "hides" && !path.endsWith("/documents")) return route.fulfill(problem("not-found", 404));
    const answer = await route.fetch({ headers });
    if (lie === "hides" && answer.ok()) {
      const { cursor: _cursor, ...page } = (await answer.json()) as Record<string, unknown>;
      return route.fulfill({ json: { ...page, documents: [] } });
    }
    if (!answer.ok() || !CONTENT.test(path)) return route.fulfill({ response: answer });
    const own = await answer.body();
    const body = lie === "swaps" ? (before ?? own) : changed(own, lie);
    before = own;
    return route.fulfill({ status: answer.status(), headers: { "content-type": OCTETS }, body });
  };

  await context.route(`${appOrigin}/**`, async (route) => {
    const request = route.request();
    const { pathname: path } = new URL(request.url());
    const headers = request.headers();
    const token = /^DPoP (.+)$/.exec(headers.authorization ?? "")?.[1];
    if (path === "/token" && request.method() === "POST" && (fresh || signInExpired)) return tokens(route);
    // Whoever it was given to no longer shows what was signed.
    if (token !== undefined && (signInExpired || fresh?.has(token) === false))
      headers.authorization = `DPoP ${token.split(".").slice(0, 2).join(".")}.${"A".repeat(86)}`;
    return lying(route, { method: request.method(), path, headers });
  });
  return {
    tokenExpired() {
      fresh = new Set();
    },
    signInExpired() {
      signInExpired = true;
    },
    datastoreLies(how) {
      lie = how;
    },
    mend() {
      fresh = undefined;
      signInExpired = false;
      lie = undefined;
      before = undefined;
    },
  };
}

type Asked = { method: string; path: string; headers: Record<string, string> };

const OCTETS = "application/octet-stream";

function problem(code: string, status: number) {
  return { status, contentType: "application/problem+json", body: JSON.stringify({ status, code }) };
}

function changed(content: Buffer, lie: Lie): Buffer {
  if (lie === "cuts") return content.subarray(0, Math.max(1, content.length - 64));
  const altered = Buffer.from(content);
  // Of the last frame's tag: what comes before it is as it was.
  const last = altered.length - 1;
  altered.writeUInt8(altered.readUInt8(last) ^ 1, last);
  return altered;
}
