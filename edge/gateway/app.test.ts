import { describe, expect, it, vi } from "vitest";
import { createApp } from "./app.ts";

const app = createApp();
const context = { waitUntil() {}, passThroughOnException() {}, props: {} };
const tenants = (vault: string, ...apps: string[]) => ({ COFFER_TENANTS: { t: { vault, apps } } });
const origins = tenants("https://vault.example", "https://app.example", "https://other.example");
const FILES: Record<string, string> = {
  "/app/index.html": "text/html",
  "/vault/index.html": "text/html",
  "/app/main.0123abcd.js": "text/javascript",
  "/app/service-worker.js": "text/javascript",
  "/app/favicon.svg": "image/svg+xml",
  "/vault/favicon.svg": "image/svg+xml",
};
const ASSETS = {
  fetch: async (request: Request) => {
    const { pathname } = new URL(request.url);
    const type = FILES[pathname];
    if (type && request.headers.get("if-none-match") === '"0123"')
      return new Response(null, { status: 304, headers: { etag: '"0123"' } });
    return new Response(type && pathname, {
      status: type ? 200 : 404,
      headers: { "x-leak": "1", "content-type": type ?? "text/html" },
    });
  },
};
const get = (url: string, init: RequestInit = {}) =>
  app.request(url, init, { ...origins, ASSETS } as never, context as never);
const policy = (response: Response) => response.headers.get("content-security-policy");

describe("gateway", () => {
  it("answers on its hosts only", async () => {
    for (const url of [
      "https://evil.example/",
      "https://app.example.evil.example/",
      "https://app.example:8443/",
    ]) {
      const response = await get(url);
      expect(response.status).toBe(421);
      expect(await response.json()).toMatchObject({
        code: "wrong-host",
        instance: expect.stringMatching(/^urn:uuid:/),
      });
    }
  });

  it("answers when the Host header names the same host as the address", async () => {
    for (const host of ["app.example", "App.Example", "app.example:443"])
      expect((await get("https://app.example/", { headers: { host } })).status, host).toBe(200);
    for (const host of [
      "evil.example",
      "vault.example",
      "app.example:8443",
      "app.example@evil.example",
      "",
    ]) {
      const response = await get("https://app.example/", { headers: { host } });
      expect(response.status, host).toBe(421);
    }
  });

  it("M21 lets no script run in page or vault that its document does not pin", async () => {
    for (const site of ["https://app.example/", "https://vault.example/"]) {
      const response = await get(site);
      expect(response.status).toBe(200);
      expect(response.headers.get("integrity-policy"), site).toBe("blocked-destinations=(script)");
    }
  });

  it("serves each site its own folder under its own policy", async () => {
    const page = await get("https://app.example/");
    expect(await page.text()).toBe("/app/index.html");
    expect(policy(page)).toContain("frame-src https://vault.example");
    expect(policy(page)).toContain("require-trusted-types-for 'script'");
    expect(policy(page)).toContain("frame-ancestors 'none'");
    expect(page.headers.get("x-frame-options")).toBe("DENY");
    const vault = await get("https://vault.example/");
    expect(await vault.text()).toBe("/vault/index.html");
    expect(policy(vault)).toContain("frame-ancestors https://app.example https://other.example;");
    expect(policy(vault)).toContain("trusted-types vault-loader");
    expect(vault.headers.get("x-frame-options")).toBeNull();
    for (const response of [page, vault]) {
      expect(policy(response)).toMatch(/^default-src 'none';/);
      expect(policy(response)).not.toContain("unsafe");
      expect(response.headers.get("x-leak")).toBeNull();
      expect(response.headers.get("strict-transport-security")).toContain("max-age");
    }
  });

  it("asks for HTTPS in what it refuses too", async () => {
    const foreign = { method: "POST", headers: { origin: "https://evil.example" } };
    for (const response of [
      await get("https://vault.example/ra/enrolments", foreign),
      await get(`https://app.example/${"x".repeat(10_000)}`),
      await get("https://app.example/nothing"),
    ]) {
      expect(response.ok).toBe(false);
      expect(response.headers.get("strict-transport-security")).toContain("max-age");
    }
  });

  it("tells its time in every answer", async () => {
    for (const url of ["https://app.example/", "https://vault.example/nothing", "https://evil.example/"]) {
      const date = Date.parse((await get(url)).headers.get("date") ?? "");
      expect(Math.abs(date - Date.now())).toBeLessThan(60_000);
    }
  });

  it("gives every document the icon that a browser asks for by itself", async () => {
    for (const site of ["https://app.example", "https://vault.example"]) {
      const icon = await get(`${site}/favicon.ico`);
      expect(icon.status).toBe(200);
      expect(icon.headers.get("content-type")).toBe("image/svg+xml");
      for (const path of ["/", "/nothing", "/.well-known/oauth-protected-resource", "/configuration.json"])
        expect(policy(await get(site + path)), path).toMatch(/img-src 'self'( blob:)?;/);
    }
  });

  it("lets hashed names be kept for ever and nothing else", async () => {
    expect((await get("https://app.example/main.0123abcd.js")).headers.get("cache-control")).toContain(
      "immutable",
    );
    for (const url of ["https://app.example/", "https://app.example/?a", "https://vault.example/"])
      expect((await get(url)).headers.get("cache-control"), url).toBe("no-cache");
    expect((await get("https://app.example/service-worker.js")).headers.get("cache-control")).toBe(
      "no-cache",
    );
    expect((await get("https://app.example/nothing.js")).headers.get("cache-control")).toBe("no-store");
  });

  it("M18 lets a browser keep the vault's document for a day at an address that a page made for it, under the same policy", async () => {
    const [kept, asked] = await Promise.all(
      ["https://vault.example/?0123", "https://vault.example/"].map((url) => get(url)),
    );
    expect(kept!.headers.get("cache-control")).toBe("private, max-age=86400");
    expect(policy(kept!)).toBe(policy(asked!));
    expect(kept!.headers.get("integrity-policy")).toBe("blocked-destinations=(script)");
  });

  it("M18 tells an app's Service Worker what its page's documents are served with, for its own origin", async () => {
    const [first = "", second = ""] = (
      await (await get("https://app.example/service-worker.js")).text()
    ).split("\n");
    const said = JSON.parse(first.replace(/^self\.cofferHeaders=(.*);$/, "$1")) as Record<string, object>;
    expect(Object.keys(said)).toEqual(["/", "/pdf.html"]);
    const { headers } = await get("https://app.example/");
    // Of each answer, and not of the document.
    const own = ["cache-control", "content-length", "content-type", "date", "etag", "request-id"];
    const others = [...own, "server-timing", "strict-transport-security", "x-frame-options"];
    const expected = [...headers].filter(([name]) => !others.includes(name));
    expect(Object.entries(said["/"]!).toSorted()).toEqual(expected.toSorted());
    expect(second).not.toBe("");
    expect((await get("https://vault.example/service-worker.js")).status).toBe(404);
  });

  it("M18 gives an app's Service Worker whole to a browser that has the file, which is what its tag is of", async () => {
    const headers = { "if-none-match": '"0123"' };
    expect((await get("https://app.example/", { headers })).status).toBe(304);
    const [asked, again] = await Promise.all(
      [{}, headers].map((headers) => get("https://app.example/service-worker.js", { headers })),
    );
    expect(again!.status).toBe(200);
    expect(await again!.text()).toBe(await asked!.text());
  });

  it("M18 has one Service Worker for an app's origin, at whatever address another one was, and none for the vault's", async () => {
    const headers = { "service-worker": "script" };
    const own = await (await get("https://app.example/service-worker.js")).text();
    for (const path of [
      "/service-worker.js",
      "/x.js",
      "/x/y.js?z",
      "/",
      "/main.0123abcd.js",
      "/favicon.ico",
    ]) {
      const answer = await get(`https://app.example${path}`, { headers });
      expect([answer.status, answer.headers.get("content-type")], path).toEqual([200, "text/javascript"]);
      expect(await answer.text(), path).toBe(own);
      expect(answer.headers.get("service-worker-allowed")).toBeNull();
    }
    expect((await get("https://app.example/x.js")).status).toBe(404);
    expect((await get("https://app.example/x.js", { headers, method: "POST" })).status).toBe(405);
    expect((await get("https://vault.example/x.js", { headers })).status).toBe(404);
  });

  it("does not serve one site's files on the other, nor outside of its folder", async () => {
    for (const path of [
      "/main.0123abcd.js",
      "/../app/main.0123abcd.js",
      "/..%2fapp%2fmain.0123abcd.js",
      "/app/index.html",
    ]) {
      expect((await get(`https://vault.example${path}`)).status, path).toBe(404);
    }
  });

  it("has a problem document for every failure", async () => {
    for (const [url, method, status] of [
      ["https://app.example/nothing", "GET", 404],
      ["https://app.example/token", "GET", 405],
      ["https://app.example/kms/loads", "POST", 401],
      ["https://app.example/accounts/a/documents", "GET", 401],
      ["https://app.example/accounts/a/documents/x/content", "GET", 401],
      ["https://app.example/ra/grants", "POST", 401],
      ["https://app.example/token", "POST", 415],
      ["https://vault.example/token", "POST", 404],
      ["https://vault.example/ra/grants", "POST", 404],
      ["https://vault.example/ra/enrolments", "POST", 415],
      ["https://vault.example/sign-in", "POST", 403],
      ["https://vault.example/sign-in", "GET", 405],
      ["https://app.example/ra/enrolments", "POST", 401],
      ["https://app.example/authorize", "GET", 404],
    ] as const) {
      const response = await get(url, { method });
      expect(response.status, `${method} ${url}`).toBe(status);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(await response.json()).toMatchObject({ status, code: expect.any(String) });
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(policy(response)).toContain("default-src 'none'");
    }
  });

  it("refuses writes from other origins before it looks at them", async () => {
    for (const [url, origin] of [
      ["https://app.example/token", "https://evil.example"],
      ["https://app.example/token", "https://vault.example"],
      ["https://app.example/kms/loads", "null"],
      ["https://vault.example/ra/enrolments", "https://app.example"],
      ["https://vault.example/sign-in", "https://app.example"],
      ["https://vault.example/sign-out", "https://evil.example"],
    ] as const) {
      const response = await get(url, { method: "POST", headers: { origin } });
      expect(await response.json(), url).toMatchObject({ code: "foreign-origin" });
    }
  });

  it("bounds addresses and headers, cookies among them", async () => {
    for (const host of ["app", "vault"]) {
      const address = `https://${host}.example/?x=${"x".repeat(9000)}`;
      expect(await (await get(address)).json()).toMatchObject({ code: "uri-too-long", status: 414 });
      for (const name of ["cookie", "authorization", "dpop", "x-any"]) {
        const response = await get(`https://${host}.example/`, { headers: { [name]: "x".repeat(40_000) } });
        expect(await response.json(), name).toMatchObject({ code: "headers-too-large", status: 431 });
      }
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`x-${n}`, "y".repeat(100)]));
      expect((await get(`https://${host}.example/`, { headers: many })).status).toBe(431);
    }
  });

  it("bounds bodies, whatever they say of their length", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = "x".repeat(70_000);
    expect((await get("https://app.example/token", { method: "POST", headers, body })).status).toBe(413);
    const lying = { ...headers, "content-length": "1" };
    expect((await get("https://app.example/token", { method: "POST", headers: lying, body })).status).toBe(
      413,
    );
  });

  it("refuses a parameter that comes twice at the token endpoint", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = "grant_type=refresh_token&grant_type=refresh_token";
    const response = await get("https://app.example/token", { method: "POST", headers, body });
    expect(await response.json()).toMatchObject({ code: "bad-request" });
  });

  it("takes the vault's session from the cookie of its environment alone", async () => {
    const secret = `${"p".repeat(32)}.${"s".repeat(43)}`;
    const IAM = {
      session: async ({ cookie }: { cookie: string }) => ({ ok: true, value: { tenant: "t", user: cookie } }),
      signOut: async () => ({ ok: true, value: null }),
    };
    const local = tenants("http://localhost:2", "http://localhost:1");
    const development = { COFFER_ENVIRONMENT: "development" };
    const production = { COFFER_ENVIRONMENT: "production" };
    for (const [env, name] of [
      [{ ...local, ...development }, "coffer-2"],
      [{ ...local, ...production }, "__Host-coffer"],
      [production, "__Host-coffer"],
      [development, "__Host-coffer"],
      [{ ...development, ...tenants("http://vault.example", "https://app.example") }, "__Host-coffer"],
      [{ ...development, ...tenants("https://localhost:2", "https://app.example") }, "__Host-coffer"],
    ] as const) {
      const bound = { ...origins, ...env, IAM };
      const { vault } = bound.COFFER_TENANTS.t;
      const ask = (path: string, init: RequestInit) =>
        app.request(vault + path, init, { ...bound } as never, context as never);
      for (const sent of ["coffer-2", "__Host-coffer"]) {
        const { status } = await ask("/session", { headers: { cookie: `${sent}=${secret}` } });
        expect(status, `${sent} at ${vault}`).toBe(sent === name ? 200 : 401);
      }
      const out = await ask("/sign-out", { method: "POST", headers: { origin: vault } });
      const flags = name === "__Host-coffer" ? "HttpOnly; Secure" : "HttpOnly";
      expect(out.headers.get("set-cookie")).toBe(`${name}=; Max-Age=0; Path=/; ${flags}; SameSite=Strict`);
    }
  });

  it("gives a sign-in under way a cookie that comes back from another site", async () => {
    const leave = {
      next: "leave",
      location: "https://login.example/?a=b",
      transaction: "sealed",
      maxAge: 900,
    };
    const IAM = { authorize: async () => ({ ok: true, value: leave }) };
    const local = tenants("http://localhost:2", "http://localhost:1");
    for (const [env, vault, cookie] of [
      [
        origins,
        "https://vault.example",
        "__Host-coffer-sign-in=sealed; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax",
      ],
      [
        { ...local, COFFER_ENVIRONMENT: "development" },
        "http://localhost:2",
        "coffer-2-sign-in=sealed; Max-Age=900; Path=/; HttpOnly; SameSite=Lax",
      ],
    ] as const) {
      const left = await app.request(`${vault}/authorize?q`, {}, { ...env, IAM } as never, context as never);
      expect([left.status, left.headers.get("location")]).toEqual([302, leave.location]);
      expect(left.headers.get("set-cookie")).toBe(cookie);
    }
  });

  it("takes an answer without a ticket from a program in development alone, where no session is at stake", async () => {
    const tickets: unknown[] = [];
    const IAM = {
      async signIn({ ticket }: { ticket: string | null }) {
        tickets.push(ticket);
        return { ok: true, value: { next: "no-provider" } };
      },
    };
    const local = tenants("http://localhost:2", "http://localhost:1");
    const development = { ...local, COFFER_ENVIRONMENT: "development" };
    const session = `coffer-2=${"p".repeat(32)}.${"s".repeat(43)}`;
    for (const [env, vault, headers] of [
      [development, "http://localhost:2", {}],
      [development, "http://localhost:2", { "sec-fetch-mode": "navigate" }],
      [development, "http://localhost:2", { cookie: session }],
      [{ ...local, COFFER_ENVIRONMENT: "production" }, "http://localhost:2", {}],
      [origins, "https://vault.example", {}],
    ] as [object, string, Record<string, string>][]) {
      const type = { "content-type": "application/x-www-form-urlencoded", origin: vault };
      const init = { method: "POST", body: "continue=q", headers: { ...type, ...headers } };
      await app.request(`${vault}/sign-in`, init, { ...env, IAM } as never, context as never);
    }
    expect(tickets).toEqual([null, "", "", "", ""]);
  });

  it("asks the IAM of the tenant whose host was asked, whatever else a request says", async () => {
    const asked: string[] = [];
    const IAM = {
      async session({ tenant }: { tenant: string }) {
        asked.push(tenant);
        return { ok: true, value: { id: "s", tenant, user: "u" } };
      },
    };
    const at = (name: string) => ({
      vault: `https://vault.${name}.example`,
      apps: [`https://app.${name}.example`],
    });
    const COFFER_TENANTS = { acme: at("acme"), umbrella: at("umbrella") };
    const headers = {
      cookie: `__Host-coffer=${"p".repeat(32)}.${"s".repeat(43)}`,
      "x-forwarded-host": "vault.acme.example",
      "x-tenant": "acme",
    };
    for (const [host, expected] of [
      ["vault.acme.example", "acme"],
      ["vault.umbrella.example", "umbrella"],
    ]) {
      const url = `https://${host}/session?tenant=acme`;
      const answer = await app.request(url, { headers }, { COFFER_TENANTS, IAM } as never, context as never);
      expect(await answer.json(), host).toEqual({ tenant: expected, user: "u", session: "s" });
    }
    expect(asked).toEqual(["acme", "umbrella"]);
    for (const host of ["app.acme.example", "vault.example", "vault.acme.example.", "acme.example"]) {
      const answer = await app.request(
        `https://${host}/session`,
        { headers },
        { COFFER_TENANTS, IAM } as never,
        context as never,
      );
      expect([404, 421], host).toContain(answer.status);
    }
    expect(asked).toHaveLength(2);
  });

  it("serves nobody by a table that is wrong", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    for (const COFFER_TENANTS of [
      undefined,
      {},
      { ...origins.COFFER_TENANTS, T: origins.COFFER_TENANTS.t },
    ]) {
      const env = { ASSETS, COFFER_TENANTS };
      const answer = await app.request("https://app.example/", {}, env as never, context as never);
      expect(await answer.json()).toMatchObject({ code: "internal", status: 500 });
    }
    vi.restoreAllMocks();
  });

  it("shows no frame, script or image the way to a code", async () => {
    for (const destination of ["iframe", "empty", "image"]) {
      const response = await get("https://vault.example/authorize", {
        headers: { "sec-fetch-dest": destination },
      });
      expect(await response.json()).toMatchObject({ code: "foreign-origin" });
    }
  });
});
