/**
 * The Service Worker of an app: answers the service contract below `/microservice/`, by the microservice of a page that has lent it, and below
 * `/coffer-media/` a media element, by the page that plays. It has no key, caches nothing and leaves every other request to the network.
 */
import { codeOf } from "#protocol/error.ts";
import { LOAN, type Loan } from "#protocol/lent.ts";
import { isMedia, MEDIA_PATH } from "#protocol/media.ts";
import { refusal } from "../service/index.ts";
import { Lenders, type PageClient, type Pages } from "./lenders.ts";
import { PlayingMedia } from "./media.ts";

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
      event: Extendable & {
        request: Request;
        clientId: string;
        respondWith(answer: Promise<Response>): void;
      },
    ) => void,
  ): void;
};

const PREFIX = "/microservice";
declare const self: Scope;
const { clients } = self;
const pages: Pages = {
  get: (id) => clients.get(id),
  all: () => clients.matchAll({ type: "window", includeUncontrolled: true }),
};
const lenders = new Lenders(pages);
const playing = new PlayingMedia(pages);

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));

self.addEventListener("message", ({ data, source, ports: [port] }) => {
  // Pages of this origin alone reach it.
  const page = source !== null && "id" in source ? (source as PageClient) : undefined;
  if (!page || !port) return;
  if (isLoan(data)) lenders.take(data, page.id, port);
  else if (isMedia(data)) playing.take(data, page.id, port);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin) return;
  const answered = pathname.startsWith(`${PREFIX}/`)
    ? answer(request)
    : pathname.startsWith(MEDIA_PATH) && playing.serve(request, event.clientId);
  if (answered) event.respondWith(answered.catch((error: unknown) => refusal(codeOf(error))));
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
