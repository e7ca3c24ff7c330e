/** The page without a network (M18): it is loaded again by its address while the edge's processes are stopped, in Chromium, and keeps to one release. */

import { readFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digest } from "#protocol/digest.ts";
import { hashed } from "#web/pin.ts";
import { send } from "../support/http.ts";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { drop, kept, listed, ready, waiting, waits } from "./waiting.ts";

const NEXT = "next";
const running = useSystemAndBrowser({ otherApps: [NEXT], passedOn: [NEXT] });
const { system, browsing } = running;
const LETTER = "a letter that nobody else reads";
/** What a browser checks or shows a document by. */
const HEADERS = [
  "content-security-policy",
  "content-type",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "integrity-policy",
  "origin-agent-cluster",
  "permissions-policy",
  "referrer-policy",
  "x-content-type-options",
];

/** Every file that this origin keeps, whatever keeps it: where it lies, and the digest of its bytes. */
const files = (page: Page) =>
  page.evaluate(async () => {
    const found: { cache: string; path: string; digest: string }[] = [];
    for (const cache of await caches.keys())
      for (const request of await (await caches.open(cache)).keys()) {
        const answer = await (await caches.open(cache)).match(request);
        const digest = await crypto.subtle.digest("SHA-256", await answer!.arrayBuffer());
        const text = btoa(String.fromCharCode(...new Uint8Array(digest)));
        const base64url = text.replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
        found.push({ cache, path: new URL(request.url).pathname, digest: base64url });
      }
    return found;
  });
/** What a release's Service Worker names, which is one line of its text. */
const digestsIn = (text: string) =>
  [...text.matchAll(/"?digest"?:"([\w-]{43})"/g)].map(([, one = ""]) => one).toSorted();
const digestsOf = async (origin: string) => digestsIn((await send(`${origin}/service-worker.js`)).text);
const untilKept = async (page: Page, digests: readonly string[]) =>
  expect
    .poll(async () => (await files(page)).map((one) => one.digest).toSorted(), { timeout: 20_000 })
    .toEqual(digests);
/** Of the vault; what the page says where it has none. */
const phase = (page: Page) =>
  page.evaluate(
    () =>
      document.querySelector<HTMLElement>('[data-link="vault"][data-phase]')?.dataset.phase ??
      document.body.textContent,
  );
const vaultAddress = (page: Page) => page.evaluate(() => document.querySelector("iframe")?.src);
const open = async (page: Page, name: string) => {
  await waits(page, name)
    .getByRole("button", { name: `Open ${name}` })
    .click();
  const text = await page.getByRole("dialog").locator("pre").textContent();
  await page.keyboard.press("Escape");
  return text;
};

it("M18 with the edge stopped the page is loaded again, seals, opens what waits, and sends it when the edge is back", async () => {
  const page = await ready(running, "Ada");
  await sealFile(page, "before.txt", "stored");
  const digests = await digestsOf(system.appOrigin);
  expect(digests.length).toBeGreaterThan(3);
  await untilKept(page, digests);
  const first = await vaultAddress(page);
  const online = (await page.reload())!;
  await untilEnrolled(page);
  // Unless the edge has said nothing for three seconds, which a slow machine may.
  const another = async () => {
    if ((await vaultAddress(page)) === first) await page.reload();
    await untilEnrolled(page);
    return vaultAddress(page);
  };
  await expect
    .poll(another, { timeout: 30_000, message: "with a network it is never an address of before" })
    .not.toBe(first);
  const second = await vaultAddress(page);
  await system.restart(async () => {
    await expect(send(system.appOrigin)).rejects.toThrow();
    await expect(send(system.vaultOrigin)).rejects.toThrow();
    for (const name of ["letter.txt", "postcard.txt"]) {
      const offline = await page.reload().catch(() => null);
      expect(offline?.status(), "the page is there").toBe(200);
      await expect.poll(() => phase(page), { timeout: 30_000 }).toBe("ready");
      expect(await vaultAddress(page)).toBe(second);
      await drop(page, { name, text: LETTER });
      await expect.poll(() => waits(page, name).count(), { timeout: 30_000 }).toBe(1);
      for (const header of HEADERS) expect(offline!.headers()[header], header).toBe(online.headers()[header]);
    }
    await page.reload();
    await expect.poll(() => phase(page), { timeout: 30_000 }).toBe("ready");
    for (const name of ["letter.txt", "postcard.txt"]) expect(await open(page, name)).toBe(LETTER);
  });
  for (const name of ["letter.txt", "postcard.txt"]) {
    // The queue goes on by itself too.
    const again = waits(page, name).getByRole("button", { name: `Try again: ${name}` });
    await again.click({ timeout: 2_000 }).catch(() => {});
    await listed(page, name).waitFor();
  }
  await expect.poll(() => waiting(page).count()).toBe(0);
  const other = await openEnrolled(running, "Ada");
  for (const name of ["letter.txt", "postcard.txt"]) expect(await showFile(other, name)).toBe(LETTER);
  expect(await showFile(other, "before.txt")).toBe("stored");
  // No answer of the edge has come among the files: what lies there is what the release names, each under its digest.
  expect(new Set((await files(page)).map(({ cache, path }) => `${cache} ${path}`))).toEqual(
    new Set(digests.map((one) => `coffer-page /coffer-page/${one}`)),
  );
  await untilKept(page, digests);
}, 180_000);

it("M18 with a network that says nothing the page is loaded again, its vault is ready, and both go on when it speaks", async () => {
  const page = await ready(running, "Cleo");
  await untilKept(page, await digestsOf(system.appOrigin));
  const first = await vaultAddress(page);
  // Its ports take connections, of app and vault, and nothing comes.
  process.kill(system.pid, "SIGSTOP");
  try {
    expect((await page.reload())?.status()).toBe(200);
    await expect.poll(() => phase(page), { timeout: 40_000 }).toBe("ready");
    expect(await vaultAddress(page)).toBe(first);
    expect(await page.locator("iframe").count()).toBe(1);
  } finally {
    process.kill(system.pid, "SIGCONT");
  }
  await expect.poll(() => phase(page), { timeout: 40_000 }).toBe("ready");
}, 120_000);

it("M18 after a sign-out the page without a network asks to sign in, and has nothing of who was there", async () => {
  const page = await ready(running, "Bob");
  await sealFile(page, "secret-name.txt", LETTER);
  const digests = await digestsOf(system.appOrigin);
  await untilKept(page, digests);
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await system.restart(async () => {
    expect((await page.reload())?.status()).toBe(200);
    await expect.poll(() => page.getByRole("button", { name: "Sign in" }).isVisible()).toBe(true);
    expect(await page.locator("body").textContent()).not.toContain("secret-name");
    expect(await kept(page)).toEqual({ uploads: 0, contents: 0, keys: 0 });
    await untilKept(page, digests);
  });
}, 120_000);

/** A server of the app's own before the edge, on an origin of its own: it may have another release, say nothing, and be away. */
const server = {
  files: new Map<string, Buffer>(),
  silent: false,
  listening: undefined as Server | undefined,
  async start() {
    const { port } = new URL(system.origin(NEXT));
    const edge = new URL(system.appOrigin).port;
    this.listening = createServer((asked, answer) => {
      const path = asked.url ?? "/";
      if (this.silent && path === "/") return;
      const { method, headers } = asked;
      const passed = request({ host: "127.0.0.1", port: edge, path, method, headers }, (given) => {
        const own = this.files.get(path);
        if (own === undefined) return void given.pipe(answer.writeHead(given.statusCode!, given.headers));
        given.resume();
        const { "content-length": _, "transfer-encoding": __, etag: ___, ...fields } = given.headers;
        const type = path.endsWith(".css") ? "text/css" : path.endsWith(".js") && "text/javascript";
        answer.writeHead(200, { ...fields, ...(type && { "content-type": type }) }).end(own);
      });
      asked.pipe(passed.on("error", () => answer.destroy()));
    });
    await new Promise<void>((resolve) => this.listening!.listen(Number(port), "127.0.0.1", resolve));
  },
  async stop() {
    this.listening?.closeAllConnections();
    await new Promise((resolve) => (this.listening ? this.listening.close(resolve) : resolve(0)));
    this.listening = undefined;
  },
};
beforeAll(() => server.start());
afterAll(() => server.stop());

/** The page of the origin that has that server, as it is kept. */
async function visited(): Promise<{ page: Page; digests: string[] }> {
  const { page } = await browsing.open();
  await page.goto(`${system.origin(NEXT)}/`);
  const digests = await digestsOf(system.origin(NEXT));
  await untilKept(page, digests);
  return { page, digests };
}

/** Another release of the page: a title and a style of its own. */
async function deploy(): Promise<string[]> {
  const folder = join(system.dir, "web/app");
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const html = read("index.html");
  const [, style = ""] = /href="\/(page\.\w+\.css)"/.exec(html) ?? [];
  const css = `${read(style)}\nbody{--release:next}\n`;
  const next = hashed("page.css", Buffer.from(css));
  const document = html.replace(style, next).replace("<title>Coffer", "<title>The next Coffer");
  const { port } = new URL(system.origin(NEXT));
  const headers = { host: `localhost:${port}` };
  let worker = (await send(`${system.appOrigin}/service-worker.js`, { headers })).text;
  for (const [before, after] of [
    [await digest(html), await digest(document)],
    [await digest(read(style)), await digest(css)],
    [style, next],
  ] as const) {
    expect(worker).toContain(before);
    worker = worker.replace(before, after);
  }
  for (const [path, text] of [
    ["/", document],
    [`/${next}`, css],
    ["/service-worker.js", worker],
  ] as const)
    server.files.set(path, Buffer.from(text));
  return digestsIn(worker);
}

it("M18 a new release is seen at the next load, takes the place of what is kept, and no file of the old one stays", async () => {
  const { page, digests } = await visited();
  const release = () =>
    page.evaluate(() => [document.title, getComputedStyle(document.body).getPropertyValue("--release")]);
  await server.stop();
  await page.reload();
  expect(await release()).toEqual(["Coffer", ""]);
  const next = await deploy();
  expect(next).not.toEqual(digests);
  await server.start();
  await page.reload();
  expect(await release(), "at once").toEqual(["The next Coffer", "next"]);
  await untilKept(page, next);
  await server.stop();
  await page.reload();
  expect(await release()).toEqual(["The next Coffer", "next"]);
  // A server that says nothing is as good as none, after a moment.
  server.silent = true;
  await server.start();
  await page.reload();
  expect(await release()).toEqual(["The next Coffer", "next"]);
  server.silent = false;
}, 120_000);

it("M18 a bad release's Service Worker is gone with the first loads after the server is right again, wherever it was", async () => {
  server.files.clear();
  const { page } = await visited();
  const bad = `oninstall = () => skipWaiting();
    onactivate = (event) => event.waitUntil(clients.claim());
    onfetch = (event) => event.request.mode === "navigate" && event.respondWith(
      new Response("<!doctype html><title>Bad</title>", { headers: { "content-type": "text/html" } }));`;
  const places = [
    ["/x.js", "/"],
    ["/x/y.js", "/x/"],
  ] as const;
  const scripts = () =>
    page.evaluate(async () => {
      const found = await navigator.serviceWorker.getRegistrations();
      return found.map(({ scope, active }) => [
        active && new URL(active.scriptURL).pathname,
        new URL(scope).pathname,
      ]);
    });
  for (const [script] of places) server.files.set(script, Buffer.from(bad));
  // That release has what policy it likes.
  await (await page.context().newCDPSession(page)).send("Page.setBypassCSP", { enabled: true });
  await page.goto(`${system.origin(NEXT)}/`);
  await page.evaluate(async (places) => {
    for (const [script, scope] of places) await navigator.serviceWorker.register(script, { scope });
  }, places);
  await expect.poll(async () => (await scripts()).toSorted()).toEqual(places);
  for (const [, scope] of places) {
    await page.goto(`${system.origin(NEXT)}${scope}`);
    expect(await page.title()).toBe("Bad");
  }
  for (const [script] of places) server.files.delete(script);
  await expect
    .poll(
      async () => {
        for (const scope of ["/x/", "/"]) await page.goto(`${system.origin(NEXT)}${scope}`);
        return [await page.title(), await scripts()];
      },
      { timeout: 60_000, interval: 2_000 },
    )
    .toEqual(["Coffer", [["/service-worker.js", "/"]]]);
}, 120_000);

it("M18 a kept file that somebody has altered is not run, and is got again when there is a network", async () => {
  const { page, digests } = await visited();
  await page.evaluate(async () => {
    const cache = await caches.open("coffer-page");
    for (const request of await cache.keys()) {
      const headers = { "content-type": "text/html" };
      await cache.put(request, new Response("<!doctype html><title>Altered</title>", { headers }));
    }
  });
  await server.stop();
  await page.reload().catch(() => {});
  expect(await page.title()).not.toBe("Altered");
  await server.start();
  // The browser's own page, which says that there is no network, loads this one again by itself when there is one.
  const there = () => page.goto(`${system.origin(NEXT)}/`).then(Boolean, () => false);
  await expect.poll(there, { timeout: 30_000 }).toBe(true);
  await untilKept(page, digests);
}, 60_000);
