/** Data keys of the tenant itself (M6), and the second patent's claim 1 (B1) in Chromium: every message, as it passed. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scanBytes } from "../memory/index.ts";
import {
  needlesOf,
  openEnrolled,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
  withKit,
} from "./index.ts";

const running = useSystemAndBrowser();
const { system } = running;
const watched = watchKeys();
const traffic = watchTraffic();
let ada: Page;
let bob: Page;

beforeAll(async () => {
  [ada, bob] = await Promise.all([openEnrolled(running, "Ada"), openEnrolled(running, "Bob")]);
});
afterAll(() => {
  watched.stop();
  traffic.stop();
});

/** A custodian of its own in the page: what it sends and gets, at the port and over HTTP, as it passes. */
const claim = (page: Page) =>
  withKit(
    page,
    async (kit, vaultOrigin) => {
      const trace: string[] = [];
      const send = globalThis.fetch;
      globalThis.fetch = async (input, init) => {
        const { pathname } = new URL(String(input instanceof Request ? input.url : input), location.href);
        if (!/^\/(kms|ra)\//.test(pathname)) return send(input, init);
        trace.push(`custodian asks ${pathname}`);
        const answer = await send(input, init);
        trace.push(`custodian gets ${answer.status} of ${pathname}`);
        return answer;
      };
      const coffer = await kit.connect({ vault: vaultOrigin });
      const { identity } = coffer;
      const rest = await kit.rest(vaultOrigin);
      // Instantiates one: the earlier instance of this origin is forgotten.
      const vault = await kit.openVault(vaultOrigin, document.body, 20_000);
      const calls = new Map<number, string>();
      const post = vault.port.postMessage.bind(vault.port);
      vault.port.postMessage = (message: { type: string; id: number; op: string }, transfer: never) => {
        if (message.type === "call") {
          calls.set(message.id, message.op);
          trace.push(`custodian → microservice: ${message.op}`);
        }
        post(message, transfer);
      };
      vault.port.addEventListener("message", ({ data }) => {
        if (data.type === "result" || data.type === "end")
          trace.push(`microservice → custodian: ${data.type} of ${calls.get(data.id)}`);
      });
      const port = kit.createPortClient(vault.port);
      await port.forget();
      const hello = await port.hello(identity!.custodian.dn);
      const { grant } = await rest.json<{ grant: string }>("POST", "/ra/grants");
      const instance = await port.enrol({ method: "grant", grant });
      await kit.prove(port, vaultOrigin, { ...hello, instance });
      const order = { count: 1, purpose: "document" };
      const { edks } = await rest.json<{ edks: [string] }>("POST", "/kms/data-keys", { json: order });
      const [edk] = edks;
      const certificate = await port.certificate();
      const json = { way: "rewrap", edk, certificate };
      const load = await rest.json<Parameters<typeof port.load>[0]>("POST", "/kms/loads", { json });
      await port.load(load);
      const { tenant } = identity!;
      const context = { tenant, document: crypto.randomUUID(), purpose: "document" };
      const sealed = await new Response(
        port.seal({ edk, context }, new TextEncoder().encode("claim 1")),
      ).bytes();
      const opened = await new Response(port.open({ context }, sealed)).text();
      vault.remove();
      globalThis.fetch = send;
      const same = certificate === instance.wrappingCertificate;
      // All that is kept for another day (B2), as a page keeps things.
      const opening = indexedDB.open("archive");
      opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      const writing = database.transaction("kept", "readwrite", { durability: "strict" });
      writing.objectStore("kept").put({ edk, sealed, context }, "claim 1");
      await new Promise<void>((resolve, reject) => {
        writing.oncomplete = () => resolve();
        writing.onerror = () => reject(writing.error);
      });
      database.close();
      return { trace, edk, load, opened, same, dn: identity!.custodian.dn };
    },
    system.vaultOrigin,
  );

/** What a page that was loaded anew does with what stands in the archive: it has another instance, whose ring is empty. */
const reopen = (page: Page) =>
  withKit(
    page,
    async (kit, vaultOrigin) => {
      const opening = indexedDB.open("archive");
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      type Kept = { edk: string; sealed: Uint8Array<ArrayBuffer>; context: Record<string, string> };
      const reading = database.transaction("kept").objectStore("kept").get("claim 1");
      const { edk, sealed, context } = await new Promise<Kept>((resolve, reject) => {
        reading.onsuccess = () => resolve(reading.result);
        reading.onerror = () => reject(reading.error);
      });
      database.close();
      const { identity } = await kit.connect({ vault: vaultOrigin });
      const rest = await kit.rest(vaultOrigin);
      const vault = await kit.openVault(vaultOrigin, document.body, 20_000);
      const port = kit.createPortClient(vault.port);
      await port.hello(identity!.custodian.dn);
      await port.forget();
      const hello = await port.hello(identity!.custodian.dn);
      const { grant } = await rest.json<{ grant: string }>("POST", "/ra/grants");
      const instance = await port.enrol({ method: "grant", grant });
      await kit.prove(port, vaultOrigin, { ...hello, instance });
      const missing = await kit.refusal(port.open({ context }, sealed.slice()).getReader().read());
      const json = { way: "rewrap", edk, certificate: await port.certificate() };
      const load = rest.json<Parameters<typeof port.load>[0]>("POST", "/kms/loads", { json });
      const refused = await kit.refusal(load);
      if (refused !== null) return { edk, missing, refused };
      await port.load(await load);
      const opened = await new Response(port.open({ context }, sealed.slice())).text();
      vault.remove();
      return { edk, missing, opened };
    },
    system.vaultOrigin,
  );

let shown: Awaited<ReturnType<typeof claim>>;
const payload = (jws: string) =>
  JSON.parse(Buffer.from(jws.split(".")[1]!, "base64url").toString()) as Record<string, unknown>;

it("B1 in Chromium: the custodian instantiates a microservice, gets an encrypted data key, has it rewrapped and hands it over, message by message", async () => {
  const before = traffic.requests().length;
  shown = await claim(ada);
  expect(shown.opened).toBe("claim 1");
  expect(shown.same).toBe(true);
  const asks = (path: string, status: number) => [
    `custodian asks ${path}`,
    `custodian gets ${status} of ${path}`,
  ];
  const calls = (operation: string, by = "result") => [
    `custodian → microservice: ${operation}`,
    `microservice → custodian: ${by} of ${operation}`,
  ];
  expect(shown.trace.slice(0, 22)).toEqual([
    ...calls("forget"),
    ...calls("hello"),
    ...asks("/ra/grants", 201),
    ...calls("enrol"),
    ...calls("authenticate"),
    ...asks("/kms/data-keys", 201),
    ...calls("certificate"),
    ...asks("/kms/loads", 200),
    ...calls("load"),
    ...calls("seal", "end"),
    ...calls("open", "end"),
  ]);
  const batches = traffic
    .requests()
    .slice(before)
    .map(({ items }) => items.map(({ operation }) => operation).join(" "));
  // Made under the master key and given out under it; then imported under it, and wrapped to the certificate.
  expect(batches).toContain("Create Get Destroy");
  expect(batches).toContain("Import Get Revoke Destroy");
});

it("M6 a key of the tenant itself is encrypted directly under the master key, in a way that no account key is", () => {
  const edk = payload(shown.edk);
  expect(edk).toMatchObject({ tenant: "development", wrapping: "A256KWP", masterKey: expect.any(String) });
  expect(edk).not.toHaveProperty("account");
  expect(edk).not.toHaveProperty("accountKey");
  expect(edk).toMatchObject({ policy: { operations: ["encrypt", "decrypt"], principals: [shown.dn] } });
  expect(payload(shown.load.way === "rewrap" ? shown.load.receipt : "")).not.toHaveProperty("account");
  expect(Buffer.from(edk.wrappedKey as string, "base64url")).toHaveLength(40);
});

it("M6 what passed holds no key: not the messages, not the traffic of the HSM", () => {
  const keys = needlesOf(watched.keys);
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  const parts = shown.edk.split(".").map((part) => Buffer.from(part, "base64url"));
  expect(scanBytes(Buffer.concat([...parts, Buffer.from(JSON.stringify(shown))]), keys)).toEqual([]);
  expect(scanBytes(traffic.bytes(), keys, "KMIP")).toEqual([]);
});

it("B2 in Chromium: the custodian archives the encrypted data key, and uses it after the page was loaded anew, with another instance", async () => {
  await ada.reload();
  await untilEnrolled(ada);
  expect(await ada.evaluate(() => "cofferKit" in globalThis)).toBe(false);
  expect(await reopen(ada)).toEqual({ edk: shown.edk, missing: "key-missing", opened: "claim 1" });
});

it("M6 a principal whom the key's policy does not name gets no such key", async () => {
  const refused = await withKit(
    bob,
    async (kit, { vault, edk }) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const state = coffer.microservice as { instance: { wrappingCertificate: string } };
      const rest = await kit.rest(vault);
      const json = { way: "rewrap", edk, certificate: state.instance.wrappingCertificate };
      return kit.refusal(rest.json("POST", "/kms/loads", { json }));
    },
    { vault: system.vaultOrigin, edk: shown.edk },
  );
  expect(refused).toBe("forbidden");
});
