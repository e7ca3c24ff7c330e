/**
 * The files of the page's own release, for when there is no network (M18). They lie where every script of this origin writes, so
 * nothing of that place is believed: a file is served by the digest that this script names it by, with headers that come with this script.
 */

import { digest } from "#protocol/digest.ts";

/** A file by the path that it is asked for by: its SHA-256 in base64url, and its media type. */
export type KeptFile = { path: string; digest: string; type: string };

/** `files`: those of the release, the page's document first. `headers`: what documents are served with, by path. */
export type KeptRelease = {
  files: readonly KeptFile[];
  headers: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

/** The one cache, in which each file lies under its digest: what two releases share is fetched once. */
const CACHE = "coffer-page";
const AT = "/coffer-page/";
/** How long the network has to answer for a document, and for all files that are not there yet, in milliseconds. */
const TIMES = { patience: 3_000, filling: 20_000 };

export class KeptPage {
  readonly #store: Pick<CacheStorage, "open">;
  readonly #send: typeof fetch;
  readonly #release: KeptRelease;
  readonly #times: typeof TIMES;

  constructor(store: Pick<CacheStorage, "open">, send: typeof fetch, release: KeptRelease, times = TIMES) {
    this.#store = store;
    this.#send = send;
    // Without its headers a document would run under no policy: then none is kept.
    this.#release = Object.keys(release.headers).length > 0 ? release : { files: [], headers: {} };
    this.#times = times;
  }

  /**
   * Gets what is not there yet. Where the document is another one (an app's own page, another release) nothing is kept; it is kept last, so that it is
   * there with all that it needs. What breaks off is gone on with when the document is served the next time.
   */
  async fill(): Promise<void> {
    const cache = await this.#store.open(CACHE);
    const signal = AbortSignal.timeout(this.#times.filling);
    const init: RequestInit = { cache: "no-cache", credentials: "omit", redirect: "error", signal };
    const [document] = this.#release.files;
    let last: Uint8Array<ArrayBuffer> | undefined;
    for (const file of this.#release.files) {
      if (await this.#kept(file)) continue;
      const bytes = await bytesOf(await this.#send(file.path, init));
      if ((await digest(bytes)) !== file.digest) return;
      if (file === document) last = bytes;
      else await cache.put(AT + file.digest, new Response(bytes));
    }
    if (document && last) await cache.put(AT + document.digest, new Response(last));
  }

  /** Ends what is kept of other releases, once all of this one is there. */
  async prune(): Promise<void> {
    const cache = await this.#store.open(CACHE);
    const kept = new Map((await cache.keys()).map((request) => [new URL(request.url).pathname, request]));
    const own = this.#release.files.map((file) => AT + file.digest);
    if (!own.every((path) => kept.has(path))) return;
    for (const path of own) kept.delete(path);
    await Promise.all([...kept.values()].map((request) => cache.delete(request)));
  }

  /**
   * Of a document the network's answer, or what is kept where none comes in time and where the server has failed. Any other file is the same
   * wherever it comes from, by its digest, so what is kept is first. Undefined for all that is no file of the release: no answer of the edge is ever
   * kept. `later` is work that goes on after the answer.
   */
  serve(request: Request, later: (work: Promise<unknown>) => void): Promise<Response> | undefined {
    const { pathname, search } = new URL(request.url);
    const file = this.#release.files.find(({ path }) => path === pathname);
    if (!file || request.method !== "GET") return undefined;
    // A document is for who goes there or has it in a frame; any other file has no query.
    if (this.#isDocument(file) ? request.mode !== "navigate" : search !== "") return undefined;
    return this.#serve(request, file, later);
  }

  async #serve(request: Request, file: KeptFile, later: (work: Promise<unknown>) => void): Promise<Response> {
    // A cache that fails has nothing: the network is there still.
    const kept = () => this.#kept(file).catch(() => undefined);
    if (!this.#isDocument(file)) return (await kept()) ?? this.#send(request);
    const network = this.#send(request);
    const answer = await within(this.#times.patience, network);
    if (!answer || answer.status >= 500) return (await kept()) ?? network;
    if (file === this.#release.files[0]) later(this.#heal(answer.clone(), file));
    return answer;
  }

  /** What a browser has thrown away, somebody has altered, or was not got is got again while this release is served. */
  async #heal(answer: Response, file: KeptFile): Promise<void> {
    if (!answer.ok || (await digest(await bytesOf(answer))) !== file.digest) return;
    await this.fill();
    await this.prune();
  }

  async #kept({ path, digest: expected, type }: KeptFile): Promise<Response | undefined> {
    const cache = await this.#store.open(CACHE);
    const found = await cache.match(AT + expected);
    if (!found) return undefined;
    const bytes = await bytesOf(found);
    if ((await digest(bytes)) !== expected) {
      await cache.delete(AT + expected);
      return undefined;
    }
    const headers = { "content-type": type, "x-content-type-options": "nosniff" };
    return new Response(bytes, { headers: { ...headers, ...this.#release.headers[path] } });
  }

  #isDocument({ path }: KeptFile): boolean {
    return path in this.#release.headers;
  }
}

/** Undefined where no answer comes in time. */
function within(patience: number, answer: Promise<Response>): Promise<Response | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patience);
  });
  return Promise.race([answer.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}

async function bytesOf(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await answer.arrayBuffer());
}
