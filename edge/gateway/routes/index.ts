/** The routes of both sites: those of the contract, the vault's pages, and files. */
import { Hono } from "hono";
import { contract, type Route } from "#protocol/contract/index.ts";
import { sha256 } from "#protocol/digest.ts";
import { serveAsset, serveServiceWorker } from "../assets.ts";
import { authenticate } from "../authenticate.ts";
import type { GatewayEnv } from "../context.ts";
import { appPolicy, contractPolicy, PDF_FRAME, pdfPolicy } from "../headers.ts";
import { contractPage, contractStyle } from "../pages/contract.ts";
import { type ContractHandlers, type Handler, serve } from "../serve.ts";
import { accounts } from "./accounts.ts";
import { administration } from "./administration.ts";
import { audit } from "./audit.ts";
import { caas, withoutInstance } from "./caas.ts";
import { documents } from "./documents.ts";
import { instances } from "./instances.ts";
import { keys } from "./keys.ts";
import { members } from "./members.ts";
import { vaultPages } from "./pages.ts";
import { registration } from "./registration.ts";
import { signIn } from "./sign-in.ts";

const handlers: ContractHandlers = {
  ...{ ...signIn, ...registration, ...keys, ...instances, ...documents },
  ...{ ...accounts, ...caas },
  ...{ ...members, ...administration, ...audit },
};

/** An app's origin: the page, the token endpoint, and the REST interface behind DPoP. */
export function appSite(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => serveAsset(c, "index.html", appPolicy(c.var.origins, c.var.site.origin)));
  site.get(PDF_FRAME, (c) => serveAsset(c, PDF_FRAME.slice(1), pdfPolicy(c.var.site.origin)));
  site.get("/service-worker.js", serveServiceWorker);
  site.get("/openapi.html", async (c) => {
    const { site, origins } = c.var;
    const page = contractPage({ app: site.origin, vault: origins.vault });
    const hash = btoa(String.fromCharCode(...(await sha256(contractStyle))));
    return c.html(page, 200, { "content-security-policy": contractPolicy(hash) });
  });
  return withFiles(withoutInstance(withContract(site, "app")));
}

/** The vault's origin: its document, the pages that ask, and enrolment, which takes cookie and Origin together (M13). */
export function vaultSite(): Hono<GatewayEnv> {
  return withFiles(withContract(vaultPages(), "vault"));
}

function withContract(site: Hono<GatewayEnv>, name: Route["site"]): Hono<GatewayEnv> {
  const routes = Object.entries<Route>(contract).filter(([, route]) => route.site === name);
  const guarded = new Set(routes.filter(([, { authentication }]) => authentication === "token").map(areaOf));
  const guard = authenticate();
  const add = ([id, route]: [string, Route]) =>
    serve(site, id, route, handlers[id as keyof ContractHandlers] as Handler<Route>);
  // Where a token comes from is before the guard of its area.
  const sources = routes.filter(([, { authentication }]) => authentication === "proof");
  sources.forEach(add);
  // Whole areas, so that nothing beneath them is reached without a token. Hono's trailing wildcard takes "/accounts" itself
  // too; a second entry would use every proof up twice.
  for (const area of guarded) site.use(`/${area}/*`, guard);
  for (const [id, route] of routes.filter((one) => !sources.includes(one))) {
    if (guarded.has(areaOf([id, route])) && route.authentication !== "token")
      throw new Error(`${id} is in a guarded area`);
    add([id, route]);
  }
  return site;
}

function areaOf([, { path }]: [string, Route]): string {
  return path.split("/", 2)[1] ?? "";
}

function withFiles(site: Hono<GatewayEnv>): Hono<GatewayEnv> {
  return site.get("/:file{[\\w-]+\\.[\\w.-]+}", (c) => serveAsset(c, c.req.param("file")));
}
