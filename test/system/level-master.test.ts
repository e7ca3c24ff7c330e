/** Level `master` in a browser: the vault's instance climbs the ladder itself, and the page asks for no key. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseHeader } from "#protocol/envelope/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk } from "#protocol/keys/index.ts";
import { bytesOf, violations } from "../chromium/rules.ts";
import { unwrapped } from "../chromium/unwrapped.ts";
import { scanBytes } from "../memory/index.ts";
import { Loot } from "./dumps.ts";
import {
  needlesOf,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
  withKit,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser({
  level: "master",
  record: true,
  otherTenants: ["layered"],
  levels: { layered: "master" },
  tenantSettings: { layered: { secondLayer: "both" } },
});
const watched = watchKeys();
const AHEAD = "**/instances/accounts/*/data-keys";
const LADDER = ["RSA-OAEP → AES-KW", "AES-KW → AES-KW", "AES-KW → HKDF"];
let page: Page;
/** What is asked of the vault's origin for instances, and of the app's for keys: in order. */
const asked: string[] = [];
/** The same with what is answered, `ask` and `get`. */
const wire: string[] = [];
/** Answers to those that were none. */
const refused: number[] = [];

const nameOf = (pathname: string) =>
  pathname.replace(/[\da-f]{8}-[\da-f-]{27}/g, "…").replace(/…\.\d+$/, "KI");

beforeAll(async () => {
  const opened = await browsing.open();
  ({ page } = opened);
  await opened.context.addInitScript(quickenHiding);
  opened.context.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    const named = nameOf(pathname);
    if (origin === system.vaultOrigin && pathname.startsWith("/instances/")) {
      asked.push(named.slice(11));
      wire.push(`ask ${named.slice(11)}`);
    }
    // The version index is of documents, and has no key.
    if (pathname.startsWith("/kms/") && !pathname.endsWith("/document-versions")) asked.push(named);
  });
  opened.context.on("response", (response) => {
    const { origin, pathname } = new URL(response.url());
    if (origin !== system.vaultOrigin || !pathname.startsWith("/instances/")) return;
    wire.push(`get ${nameOf(pathname).slice(11)}`);
    if (!response.ok()) refused.push(response.status());
  });
  // Had ahead, Enc(data) and Enc(account) would not be asked for when data comes.
  await opened.context.route(AHEAD, (route) => route.abort());
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
});
afterAll(async () => {
  watched.stop();
});

/** In every document: five minutes, after which a hidden page locks, are short, and it is told when they are over. */
function quickenHiding(): void {
  const wait = globalThis.setTimeout;
  const quick = (task: () => void, milliseconds?: number, ...more: unknown[]) =>
    milliseconds === 300_000
      ? wait(() => {
          task();
          dispatchEvent(new Event("five-minutes"));
        }, 50)
      : wait(task, milliseconds, ...more);
  Object.assign(globalThis, { setTimeout: quick });
}

/** Has the vault of this page hidden for longer than it keeps what it has decrypted. */
async function hide(shown: Page): Promise<void> {
  const vault = shown.frames().find((frame) => new URL(frame.url()).origin === system.vaultOrigin);
  await vault?.evaluate(async () => {
    const over = new Promise((resolve) => addEventListener("five-minutes", resolve, { once: true }));
    Object.defineProperty(document, "visibilityState", { configurable: true, value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
    await over;
  });
}

const links = () => unwrapped(browsing.recorder!.calls);

it("W4 knows its KMS and has Enc(master) before any request", async () => {
  expect(asked.slice(0, 2)).toEqual(["token", "master-key"]);
  expect(wire.slice(0, 4)).toEqual(["ask token", "get token", "ask master-key", "get master-key"]);
  expect(links()).toEqual([]);
});

it("Promise 2 keeps key bytes out of JavaScript while it begins at level master", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  // Enc(master) is what the Worker verifies before it unwraps.
  const keys = needlesOf(watched.keys);
  expect(watched.ofClass("master")).toHaveLength(2); // One of each tenant.
  expect(scanBytes(bytesOf(calls), keys, "calls")).toEqual([]);
});

it("A1 in a browser: KI, Enc(data), Enc(account), then master, account and data key in turn, all in the Worker; then it encrypts", async () => {
  await expect.poll(() => asked).toContain("accounts/…/data-keys");
  asked.length = 0;
  wire.length = 0;
  const from = browsing.recorder!.calls.length;
  await sealFile(page, "letter.txt", "a letter at level master");
  await page.context().unroute(AHEAD);
  expect(asked[0]).toBe("key-identifiers");
  expect(asked.filter((path) => path.startsWith("/kms/"))).toEqual([]);
  expect(asked.slice(1).sort()).toEqual(["accounts/…/data-keys/KI", "accounts/…/key"]);
  expect(wire.slice(0, 2)).toEqual(["ask key-identifiers", "get key-identifiers"]);
  expect(wire.slice(2).sort()).toEqual([
    ...["ask accounts/…/data-keys/KI", "ask accounts/…/key"],
    ...["get accounts/…/data-keys/KI", "get accounts/…/key"],
  ]);
  for (const key of ["accounts/…/data-keys/KI", "accounts/…/key"])
    expect(wire.indexOf(`ask ${key}`), key).toBeLessThan(wire.indexOf(`get ${key}`));
  expect(links()).toEqual(LADDER);
  const worker = browsing
    .recorder!.calls.slice(from)
    .filter(({ realm, error }) => realm === "worker" && !error)
    .map(({ method }) => method);
  expect(worker.indexOf("encrypt")).toBeGreaterThan(worker.lastIndexOf("unwrapKey"));
  expect(await showFile(page, "letter.txt")).toBe("a letter at level master");
  expect(violations(browsing.recorder!.calls)).toEqual([]);
  expect(refused).toEqual([]);
});

it("W7 in a browser: what the Worker has decrypted serves until the page has been hidden for its time, and then is unwrapped anew", async () => {
  await sealFile(page, "hidden.txt", "of a page that is hidden");
  const from = links().length;
  expect(await showFile(page, "hidden.txt")).toBe("of a page that is hidden");
  expect(links().slice(from)).toEqual([]);
  await hide(page);
  asked.length = 0;
  expect(await showFile(page, "hidden.txt")).toBe("of a page that is hidden");
  await expect.poll(() => links().slice(from)).toEqual(LADDER);
  // The encrypted copies are still there: the IAM alone is asked.
  expect(asked).toEqual(["key-identifiers"]);
});

it("A1 in a browser, the last step: the data key is deleted ten minutes after its last use, and is unwrapped anew", async () => {
  await sealFile(page, "last.txt", "used for the last time");
  const from = links().length;
  const recorder = browsing.recorder!;
  // With the clock of the vault's Worker alone ahead its keys' time is over, and the edge takes no proof of possession from it.
  await recorder.forward(11 * 60_000);
  await page.getByRole("button", { name: "Open last.txt" }).click();
  const dismiss = page.getByRole("alert").getByRole("button", { name: "Dismiss" });
  const asked = await dismiss.waitFor({ timeout: 20_000 }).then(
    () => true,
    () => false,
  );
  expect(asked, "a key was asked for").toBe(true);
  await dismiss.click();
  expect(links().slice(from)).toEqual([]);
  await recorder.forward(-11 * 60_000);
  expect(await showFile(page, "last.txt")).toBe("used for the last time");
  // Those above it were not looked at while the clock was ahead.
  expect(links().slice(from)).toEqual(["AES-KW → HKDF"]);
});

/** The page again, in the same profile. */
async function reload(): Promise<{ from: number; calls: number }> {
  const before = { from: links().length, calls: browsing.recorder!.calls.length };
  asked.length = 0;
  wire.length = 0;
  await page.reload();
  await untilEnrolled(page);
  return before;
}

it("W2 in a browser: after a reload a document opens by master, account and data key in turn, unwrapped anew in the Worker", async () => {
  await sealFile(page, "again.txt", "opened after a reload");
  await page.context().route(AHEAD, (route) => route.abort());
  const { from } = await reload();
  expect(asked.slice(0, 2)).toEqual(["token", "master-key"]);
  expect(await showFile(page, "again.txt")).toBe("opened after a reload");
  await page.context().unroute(AHEAD);
  // Though the document's header has Enc(data), it is the KMS's that is taken, by the IAM's word.
  expect(asked).toEqual(
    expect.arrayContaining(["key-identifiers", "accounts/…/data-keys/KI", "accounts/…/key"]),
  );
  expect(links().slice(from)).toEqual(LADDER);
  expect(violations(browsing.recorder!.calls)).toEqual([]);
});

it("W6 in a browser: the app-specific key is kept over a reload, as a handle; no other one is made, and Enc(master) opens by it", async () => {
  const { from, calls } = await reload();
  expect(await showFile(page, "again.txt")).toBe("opened after a reload");
  expect(links().slice(from)[0]).toBe("RSA-OAEP → AES-KW");
  const since = browsing.recorder!.calls.slice(calls);
  const [unwrapping] = since.filter(({ realm, method }) => realm === "worker" && method === "unwrapKey");
  expect(unwrapping?.args[2]).toMatchObject({
    key: { type: "private", extractable: false, algorithm: { name: "RSA-OAEP", modulusLength: 3072 } },
  });
  const made = since.filter(({ realm, method }) => realm === "worker" && method === "generateKey");
  // A share for a channel may be, which lives as long as the question.
  expect(JSON.stringify(made.map(({ args }) => args[0]))).not.toMatch(/RSA|ECDSA/);
});

it("Promise 2 W10 a data key that the instance makes itself leaves it wrapped, and is extractable for that alone", async () => {
  const from = browsing.recorder!.calls.length;
  const { before, after, opened } = await withKit(
    page,
    async (kit, vaultOrigin) => {
      const { tenant, custodian, accounts } = (await kit.connect({ vault: vaultOrigin })).identity!;
      const account = accounts[0]!.id;
      const rest = await kit.rest(vaultOrigin);
      const vault = await kit.openVault(vaultOrigin, document.body, 20_000);
      const port = kit.createPortClient(vault.port);
      await port.forget();
      await port.hello(custodian.dn);
      const { grant } = await rest.json<{ grant: string }>("POST", "/ra/grants");
      const { id, identityCertificate: certificate } = await port.enrol({ method: "grant", grant });
      await rest.send("PUT", `/iam/instances/${id}`, { json: { certificate } }, async () => {});
      await kit.prove(port, vaultOrigin, await port.hello(custodian.dn));
      const versions = async () =>
        (await rest.json<{ versions: unknown[] }>("GET", `/accounts/${account}/data-keys`)).versions.length;
      const before = await versions();
      await port.renew(account);
      const after = await versions();
      const context = { tenant, account, document: crypto.randomUUID(), purpose: "document" };
      const text = new TextEncoder().encode("under a key of its own making");
      const sealed = await new Response(port.seal({ context }, text)).bytes();
      const opened = await new Response(port.open({ context }, sealed)).text();
      vault.remove();
      return { before, after, opened };
    },
    system.vaultOrigin,
  );
  expect(opened).toBe("under a key of its own making");
  expect(after).toBe(before + 1);
  await expect.poll(() => browsing.recorder!.crypto().some(({ method }) => method === "wrapKey")).toBe(true);
  const calls = browsing.recorder!.calls.slice(from);
  // The one exception, in the Worker: what wrapKey takes has to be extractable. Nothing is exported, and it crosses no port.
  const broken = violations(calls).map((call) => `${call.realm} ${call.method}`);
  expect(broken.sort()).toEqual(["worker generateKey", "worker wrapKey"]);
  const wraps = calls.filter(({ method, error }) => method === "wrapKey" && !error);
  expect(wraps.map(({ args }) => args[0])).toEqual(["raw"]);
  const keys = needlesOf(watched.ofClass("data"));
  expect(scanBytes(bytesOf(browsing.recorder!.calls), keys, "calls")).toEqual([]);
});

it("W14 in a browser: with a second layer over Enc(data) and ciphertext both, what is sealed opens after a reload, by the master key once more as HKDF", async () => {
  const layered = system.tenant("layered");
  const { page: own } = await browsing.open();
  const from = links().length;
  await signIn(own, layered, "Lee");
  await untilEnrolled(own);
  await sealFile(own, "layered.txt", "under two layers");
  expect(await showFile(own, "layered.txt")).toBe("under two layers");
  const until = links().length;
  expect(links().slice(from, until)).toContain("RSA-OAEP → HKDF");
  await own.reload();
  await untilEnrolled(own);
  expect(await showFile(own, "layered.txt")).toBe("under two layers");
  expect(links().slice(until)).toEqual(expect.arrayContaining(["RSA-OAEP → HKDF", ...LADDER]));
  await own.close();
  // Both are on what the datastore has.
  const headers = new Loot().folder(system.edgeDir).documents.flatMap((stored) => parseHeader(stored) ?? []);
  const layers = headers
    .filter(({ context }) => context.tenant === "layered")
    .map(({ layer, encryptedDataKeys: [own] }) => {
      const { payload } = jwsParts(new TextDecoder().decode(own!.encryptedDataKey));
      const edk = JSON.parse(new TextDecoder().decode(payload)) as Edk;
      return [layer !== undefined, edk.layer !== undefined];
    });
  expect(layers).toContainEqual([true, true]);
});

/**
 * Messages of this page's instance, what the HSM is asked between question and answer, and what the Worker does with keys, in one order: an
 * answer stands in it before the Worker has it, and so before any call that it makes with it.
 */
async function traceOf(own: Page) {
  const { calls } = browsing.recorder!;
  const traffic = watchTraffic();
  const messages: { line: string; at: number }[] = [];
  const gets = () =>
    traffic.requests().filter(({ items }) => items.some(({ operation }) => operation === "Get")).length;
  const say = (line: string) => messages.push({ line, at: calls.length });
  await own.context().route(`${system.vaultOrigin}/instances/**`, async (route) => {
    const name = nameOf(new URL(route.request().url()).pathname).slice(11);
    // Had ahead, Enc(data) and Enc(account) would not be asked for when data comes.
    if (name === "accounts/…/data-keys") return route.abort();
    say(`ask ${name}`);
    const before = gets();
    const response = await route.fetch();
    if (gets() > before && /master-key|data-keys/.test(name)) say(`HSM gives ${name}`);
    say(`get ${response.status()} ${name}`);
    await route.fulfill({ response });
  });
  await own.context().route(`${system.appOrigin}/accounts/*/documents/**`, async (route) => {
    const request = route.request();
    if (request.method() === "PUT") {
      await expect.poll(() => done().includes("encrypt")).toBe(true);
      say("store ciphertext");
    }
    await route.continue();
  });
  let from = calls.length;
  const nameCall = (index: number) => {
    const [call] = calls.slice(index, index + 1);
    if (call?.realm !== "worker" || call.error) return [];
    return call.method === "encrypt" ? ["encrypt"] : unwrapped([call]);
  };
  const done = () => calls.slice(from).flatMap((_, index) => nameCall(from + index));
  return {
    lines(): string[] {
      const all = [...messages];
      const lines: string[] = [];
      for (let index = from; index <= calls.length; index++) {
        while (all[0] && all[0].at <= index) lines.push(all.shift()!.line);
        if (index < calls.length) lines.push(...nameCall(index));
      }
      return lines;
    },
    clear() {
      messages.length = 0;
      from = calls.length;
    },
    stop: () => traffic.stop(),
  };
}

it("A1, W4, W5 in a browser as one trace, once the edge was restarted and the KMS has kept nothing: every message, what the HSM is asked, every key, the store, and what goes", async () => {
  const { page: own, context } = await browsing.open();
  await context.addInitScript(quickenHiding);
  await signIn(own, system, "Tess");
  await untilEnrolled(own);
  await system.restart();
  const trace = await traceOf(own);
  try {
    await own.reload();
    await untilEnrolled(own);
    await sealFile(own, "trace.txt", "one trace in a browser");
    await expect.poll(() => trace.lines()).toContain("store ciphertext");
    const lines = trace.lines();
    const [data, account] = ["accounts/…/data-keys/KI", "accounts/…/key"];
    // What is asked side by side may be asked and answered in either order.
    const asks = lines.splice(7, 2);
    const gets = lines.splice(7, 3);
    expect(asks.sort()).toEqual([`ask ${data}`, `ask ${account}`]);
    expect(gets.filter((line) => !line.endsWith(account))).toEqual([`HSM gives ${data}`, `get 200 ${data}`]);
    expect(gets).toContain(`get 200 ${account}`);
    const stored = lines.indexOf("store ciphertext");
    expect(lines.slice(0, 10)).toEqual([
      ...["ask token", "get 200 token"],
      ...["ask master-key", "HSM gives master-key", "get 200 master-key"],
      ...["ask key-identifiers", "get 200 key-identifiers"],
      ...LADDER,
    ]);
    // One call for each frame; the list is sealed after the document.
    expect(stored).toBeGreaterThan(10);
    expect(new Set(lines.slice(10))).toEqual(new Set(["encrypt", "store ciphertext"]));
    await hide(own);
    trace.clear();
    expect(await showFile(own, "trace.txt")).toBe("one trace in a browser");
    await expect
      .poll(() => trace.lines())
      .toEqual(["ask key-identifiers", "get 200 key-identifiers", ...LADDER]);
  } finally {
    trace.stop();
    await own.close();
  }
});
