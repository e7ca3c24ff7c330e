import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import { digest } from "#protocol/digest.ts";
import { type KeptFile, KeptPage } from "./index.ts";

const ORIGIN = "https://app.example";
const PAGE = "<!doctype html><title>Page</title>";
const POLICY = { "content-security-policy": "default-src 'none'" };

/** As far as it is used. */
class TestCache {
  readonly entries = new Map<string, Response>();
  readonly match = async (key: string) => this.entries.get(key)?.clone();
  readonly put = async (key: string, answer: Response) => void this.entries.set(key, answer);
  readonly keys = async () => [...this.entries.keys()].map((path) => ({ url: ORIGIN + path }));
  readonly delete = async (key: string | { url: string }) =>
    this.entries.delete(typeof key === "string" ? key : new URL(key.url).pathname);
}

let cache: TestCache;
/** What the server has, by path; a function answers otherwise. */
let served: Record<string, string | (() => Promise<Response>)>;
let asked: string[];
beforeEach(() => {
  cache = new TestCache();
  served = { "/": PAGE, "/main.js": "main()" };
  asked = [];
});

const send: typeof fetch = async (input, init) => {
  const path = typeof input === "string" ? input : new URL((input as Request).url).pathname;
  asked.push(path);
  const answer = served[path];
  if (answer === undefined) return new Response("not found", { status: 404 });
  if (typeof answer === "string") return new Response(answer);
  const { signal } = init ?? {};
  const aborted = new Promise<never>((_, reject) =>
    signal?.addEventListener("abort", () => reject(signal.reason)),
  );
  return Promise.race([answer(), aborted]);
};
const file = async (path: string, content: string, type: string): Promise<KeptFile> => ({
  ...{ path, type },
  digest: await digest(content),
});
const release = async (page = PAGE, main = "main()") => [
  await file("/", page, "text/html; charset=utf-8"),
  await file("/main.js", main, "text/javascript"),
];
const pageOf = (files: KeptFile[], headers: Record<string, Record<string, string>> = { "/": POLICY }) => {
  const store = { open: async () => cache } as unknown as CacheStorage;
  return new KeptPage(store, send, { files, headers }, { patience: 20, filling: 50 });
};
/** As a browser asks; Node's own requests never navigate. */
function request(path: string, { mode = "navigate", method = "GET" } = {}): Request {
  return Object.defineProperty(new Request(ORIGIN + path, { method }), "mode", { value: mode });
}
const none = () => {};
const refuse = () => Promise.reject(new TypeError("fetch failed"));

it("M18 serves the network's answer, and what is kept where there is none, where none comes and where the server fails", async () => {
  const kept = pageOf(await release());
  await kept.fill();
  served["/"] = "<!doctype html><title>Newer</title>";
  expect(await (await kept.serve(request("/?code=a"), none))?.text()).toContain("Newer");
  for (const away of [
    refuse,
    () => new Promise<Response>(() => {}),
    async () => new Response("bad gateway", { status: 502 }),
  ]) {
    served["/"] = away;
    const answer = await Promise.race([kept.serve(request("/?code=a"), none), delay(5_000)]);
    expect(await answer?.text()).toBe(PAGE);
    expect(Object.fromEntries(answer!.headers)).toEqual({
      ...POLICY,
      "content-type": "text/html; charset=utf-8",
      "x-content-type-options": "nosniff",
    });
  }
  // Where nothing is kept it is what the network says.
  cache.entries.clear();
  served["/"] = async () => new Response("bad gateway", { status: 502 });
  expect((await kept.serve(request("/"), none))?.status).toBe(502);
  served["/"] = refuse;
  await expect(kept.serve(request("/"), none)).rejects.toThrow("fetch failed");
});

it("M18 a page that was kept gets the files of its own release when the server has another one", async () => {
  const kept = pageOf(await release());
  await kept.fill();
  asked.length = 0;
  served["/main.js"] = "next()";
  const script = await kept.serve(request("/main.js", { mode: "cors" }), none);
  expect(await script?.text()).toBe("main()");
  expect(script?.headers.get("content-type")).toBe("text/javascript");
  expect(asked, "a digest needs no network").toEqual([]);
});

it("M18 leaves alone what is no file of the release, however it is asked for", async () => {
  const kept = pageOf(await release());
  for (const asking of [
    request("/standing", { mode: "cors" }),
    request("/accounts/a/documents"),
    request("/index.html"),
    request("/coffer-page/x"),
    request("/main.js?x", { mode: "cors" }),
    request("/", { mode: "cors" }),
    request("/", { method: "POST" }),
  ])
    expect(kept.serve(asking, none), asking.url).toBeUndefined();
});

it("M18 does not serve what was altered, and gets it again", async () => {
  const kept = pageOf(await release());
  await kept.fill();
  for (const key of cache.entries.keys()) cache.entries.set(key, new Response("altered"));
  served["/"] = refuse;
  await expect(kept.serve(request("/"), none)).rejects.toThrow("fetch failed");
  served["/"] = PAGE;
  const work: Promise<unknown>[] = [];
  await kept.serve(request("/"), (one) => void work.push(one));
  await Promise.all(work);
  const contents = [...cache.entries.values()].map((one) => one.clone().text());
  expect((await Promise.all(contents)).toSorted()).toEqual([PAGE, "main()"].toSorted());
});

it("M18 keeps the files of one release, and fetches once what two have in common", async () => {
  await pageOf(await release()).fill();
  served["/"] = `${PAGE}<p>Next`;
  const next = pageOf(await release(`${PAGE}<p>Next`));
  asked.length = 0;
  await next.fill();
  expect(asked).toEqual(["/"]);
  await next.prune();
  const files = await release(`${PAGE}<p>Next`);
  expect([...cache.entries.keys()].toSorted()).toEqual(
    files.map((one) => `/coffer-page/${one.digest}`).toSorted(),
  );
});

it("M18 a cache that fails takes no answer of the network away", async () => {
  const kept = pageOf(await release());
  Object.assign(cache, { match: () => Promise.reject(new DOMException("disk", "UnknownError")) });
  const text = async (asking: Request) => (await kept.serve(asking, none))?.text();
  await expect(text(request("/main.js", { mode: "cors" }))).resolves.toBe("main()");
  served["/"] = () => delay(200).then(() => new Response("late"));
  await expect(text(request("/"))).resolves.toBe("late");
});

it("M18 a fill that breaks off ends, leaves what was kept before, and goes on when the page is served", async () => {
  await pageOf(await release()).fill();
  const before = [...cache.entries.keys()];
  served["/"] = `${PAGE}<p>Next`;
  const next = pageOf(await release(`${PAGE}<p>Next`, "next()"));
  for (const away of [refuse, () => new Promise<Response>(() => {})]) {
    served["/main.js"] = away;
    await expect(Promise.race([next.fill(), delay(5_000)])).rejects.toThrow();
    await next.prune();
    expect([...cache.entries.keys()], "no document without its files").toEqual(before);
  }
  served["/main.js"] = "next()";
  const work: Promise<unknown>[] = [];
  await next.serve(request("/"), (one) => void work.push(one));
  await Promise.all(work);
  const files = await release(`${PAGE}<p>Next`, "next()");
  expect([...cache.entries.keys()].toSorted()).toEqual(
    files.map((one) => `/coffer-page/${one.digest}`).toSorted(),
  );
});

it("M18 keeps nothing where another page is served, nor without the policy that the page is served with", async () => {
  served["/"] = "<!doctype html><title>An app of its own</title>";
  const other = pageOf(await release());
  await other.fill();
  expect(asked).toEqual(["/"]);
  const bare = pageOf(await release(), {});
  await bare.fill();
  expect(bare.serve(request("/"), none)).toBeUndefined();
  expect(cache.entries.size).toBe(0);
});
