/**
 * The Service Worker of an app: answers the service contract below `/microservice/`, by the microservice of a page that has lent it, and below
 * `/coffer-media/` a media element, by the page that plays. Of the page's own release it keeps the files, for when there is no network. It has
 * no key and leaves every other request to the network.
 */
import { codeOf } from "#protocol/error.ts";
import { LOAN, type Loan } from "#protocol/lent.ts";
import { isMedia, MEDIA_PATH } from "#protocol/media.ts";
import { refusal } from "../service/index.ts";
import { type KeptFile, KeptPage, type KeptRelease } from "./kept.ts";
import { Lenders, type PageClient, type Pages } from "./lenders.ts";
import { PlayingMedia } from "./media.ts";

/** As far as it is used; its types are of a library that pages do not have. */
type Extendable = Event & { waitUntil(work: Promise<unknown>): void };
type Scope = {
  readonly registration: { readonly scope: string; unregister(): Promise<boolean> };
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

/** Files of the page; written in when this is built. */
declare const __COFFER_PAGE__: readonly KeptFile[];

const PREFIX = "/microservice";
/** `cofferHeaders`: what the page's documents are served with, said by the server before this begins; not on the origin of another page. */
declare const self: Scope & { readonly cofferHeaders?: KeptRelease["headers"] };
const { clients } = self;
const pages: Pages = {
  get: (id) => clients.get(id),
  all: () => clients.matchAll({ type: "window", includeUncontrolled: true }),
};
const lenders = new Lenders(pages);
const playing = new PlayingMedia(pages);
const kept = new KeptPage(caches, fetch.bind(globalThis), {
  files: __COFFER_PAGE__,
  headers: self.cofferHeaders ?? {},
});

self.addEventListener("install", (event) =>
  // Where there is no room, or the network breaks off, the rest of it works.
  event.waitUntil(Promise.all([self.skipWaiting(), kept.fill().catch(() => {})])),
);
self.addEventListener("activate", (event) => event.waitUntil(kept.prune().finally(settle)));

/** The edge gives this in the place of any other Service Worker of the origin: beside that of the whole origin there is none. */
async function settle(): Promise<unknown> {
  const { scope } = self.registration;
  return self.cofferHeaders && scope !== `${location.origin}/`
    ? self.registration.unregister()
    : clients.claim();
}

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
  const asked = pathname.startsWith(`${PREFIX}/`)
    ? answer(request)
    : pathname.startsWith(MEDIA_PATH) && playing.serve(request, event.clientId);
  const answered = asked
    ? asked.catch((error: unknown) => refusal(codeOf(error)))
    : kept.serve(request, (work) => event.waitUntil(work.catch(() => {})));
  if (answered) event.respondWith(answered);
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
