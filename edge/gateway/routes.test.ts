import { expect, it } from "vitest";
import {
  AT_CAAS,
  CAAS_PATH,
  contract,
  type lifeCycle,
  type Route,
  service,
} from "#protocol/contract/index.ts";
import { createApp } from "./app.ts";

/** What people and browsers ask for: pages, their forms, and files. */
const PAGES = [
  "GET /:site/favicon.ico",
  "GET /app",
  "GET /app/openapi.html",
  "GET /app/pdf.html",
  "GET /app/service-worker.js",
  "GET /app/:file{[\\w-]+\\.[\\w.-]+}",
  "GET /vault",
  "GET /vault/:file{[\\w-]+\\.[\\w.-]+}",
  "GET /vault/page.css",
  "GET /vault/account",
  "POST /vault/account",
  "GET /vault/authorize",
  "POST /vault/authorize",
  "GET /vault/sign-in/callback",
  "POST /vault/sign-in",
  "POST /vault/back-channel-logout",
];

it("has no route that the contract does not have, but pages and files, and what the CaaS does not do", () => {
  const served = createApp()
    .routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  const agreed = Object.values<Route>(contract).map(
    ({ site, method, path }) => `${method} /${site}${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
  );
  const refused = Object.entries(AT_CAAS)
    .filter(([, offered]) => !offered)
    .map(([id]) => service[id as keyof typeof lifeCycle])
    .map(({ method, path }) => `${method} /app${CAAS_PATH}${path}`);
  expect([...new Set(served)].sort()).toEqual([...PAGES, ...agreed, ...refused].sort());
});

it("guards all that is behind a token by the area, before any route", () => {
  const guards = createApp()
    .routes.filter(({ method, path }) => method === "ALL" && path !== "/*")
    .map(({ path }) => path);
  const areas = Object.values<Route>(contract)
    .filter(({ authentication }) => authentication === "token")
    .map(({ site, path }) => `/${site}/${path.split("/", 2)[1]}/*`);
  expect(guards.sort()).toEqual([...new Set(areas)].sort());
});

it("answers with the contract", async () => {
  const env = {
    COFFER_TENANTS: {
      t: { vault: "https://vault.example", apps: ["https://app.example", "https://other.example"] },
    },
  };
  const context = { waitUntil() {}, passThroughOnException() {}, props: {} };
  for (const app of ["https://app.example", "https://other.example"]) {
    const response = await createApp().request(`${app}/openapi.json`, {}, env as never, context as never);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    const document = (await response.json()) as { servers: object[]; paths: Record<string, object> };
    expect(document.servers).toEqual([expect.objectContaining({ url: app })]);
    expect(document.paths["/session"]).toMatchObject({
      get: { servers: [{ url: "https://vault.example" }] },
    });
  }
});
