/**
 * The Service Worker of an app: answers the service contract below `/microservice/`, by the microservice of a page that has lent it. It has
 * no key, caches nothing and leaves every other request to the network.
 */
import { codeOf } from "#protocol/error.ts";
import { LOAN, type Loan } from "#protocol/lent.ts";
import { refusal } from "../service/index.ts";
import { Lenders, type PageClient } from "./lenders.ts";

/** As far as it is used; its types are of a library that pages do not have. */
type Extendable = Event & { waitUntil(work: Promise<unknown>): void };
type Scope = {
  readonly clients: {
    get(id: string): Promise<PageClient | undefined>;
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<readonly PageClient[]>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  addEventListener(
    type: "fetch",
    listener: (
      event: Extendable & { request: Request; respondWith(answer: Promise<Response>): void },
    ) => void,
  ): void;
};

const PREFIX = "/microservice";
declare const self: Scope;
const { clients } = self;
const lenders = new Lenders({
  get: (id) => clients.get(id),
  all: () => clients.matchAll({ type: "window", includeUncontrolled: true }),
});

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));

self.addEventListener("message", ({ data, source, ports: [port] }) => {
  // Pages of this origin alone reach it.
  const page = source !== null && "id" in source ? (source as PageClient) : undefined;
  if (isLoan(data) && page && port) lenders.take(data, page.id, port);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin || !pathname.startsWith(`${PREFIX}/`)) return;
  event.respondWith(answer(request).catch((error: unknown) => refusal(codeOf(error))));
});

async function answer(request: Request): Promise<Response> {
  // A program asks: no address that somebody follows, no form, no image.
  if (request.mode === "navigate" || request.mode === "no-cors") return refusal("forbidden");
  return lenders.serve(await ofContract(request));
}

/** The request at the path that the contract has for it. */
async function ofContract(request: Request): Promise<Request> {
  const { method, url, headers } = request;
  // Firefox has no streams of bodies here.
  const body = request.body ?? (await request.arrayBuffer());
  const { pathname, search, origin } = new URL(url);
  const type = headers.get("content-type");
  const init: RequestInit & { duplex: "half" } = {
    ...{ method, duplex: "half", headers: type === null ? {} : { "content-type": type } },
    ...(method !== "GET" && { body }),
  };
  return new Request(new URL(pathname.slice(PREFIX.length) + search, origin), init);
}

function isLoan(data: unknown): data is Loan {
  const loan = data as Partial<Loan> | null;
  return typeof loan === "object" && loan?.type === LOAN && typeof loan.custodian === "string";
}
