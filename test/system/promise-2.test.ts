/** Promise 2, blind page: no plaintext key byte exists in JavaScript memory, neither in the app nor in the vault. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { scanBytes } from "../memory/index.ts";
import { needlesOf, sealFile, showFile, signIn, useSystemAndBrowser, watchKeys } from "./index.ts";
import { loadBySeeds, loadInOtherWays } from "./loading.ts";

const { system, browsing } = useSystemAndBrowser({ record: true });
let page: Page;
const watched = watchKeys();

beforeAll(async () => {
  ({ page } = await browsing.open());
  await signIn(page, system, "Ada");
  await sealFile(page, "letter.txt", "a letter to nobody else");
  await page.reload();
  expect(await showFile(page, "letter.txt")).toBe("a letter to nobody else");
  // A grant over a channel, and several keys in one rewrap.
  expect((await loadInOtherWays(page, system)).opened).toHaveLength(4);
  // Of a seed, which is the custodian's own.
  expect((await loadBySeeds(page, system)).opened).toHaveLength(3);
});
afterAll(async () => {
  watched.stop();
});

const count = (realm: string, method: string) =>
  browsing.recorder!.crypto().filter((call) => call.realm === realm && call.method === method && !call.error)
    .length;

it("Promise 2: every SubtleCrypto call of page, vault and Worker keeps key bytes out of JavaScript", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
});

it("Promise 2: no argument and no result of any call, and no message, holds a key of the hierarchy", () => {
  // A seed is no key: the page has it from the person.
  const keys = needlesOf(watched.keys.filter(({ keyClass }) => keyClass !== "seed"));
  expect(watched.ofClass("seed-stretched").length).toBeGreaterThan(0);
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  const recorded = bytesOf(browsing.recorder!.calls);
  expect(recorded.length).toBeGreaterThan(5_000);
  expect(scanBytes(recorded, keys, "calls")).toEqual([]);
});

it("Promise 2: as many calls were recorded as sealing and opening need, in all three realms", () => {
  const { calls } = browsing.recorder!;
  const realms = calls
    .filter(({ method }) => method === "instrumented")
    .map(({ realm, origin }) => `${realm} ${origin}`);
  expect(realms).toEqual(
    expect.arrayContaining([
      `page ${system.appOrigin}`,
      `iframe ${system.vaultOrigin}`,
      `worker ${system.vaultOrigin}`,
    ]),
  );
  // The page: its DPoP key and a proof for each request.
  expect(count("page", "generateKey")).toBeGreaterThanOrEqual(1);
  expect(count("page", "sign")).toBeGreaterThanOrEqual(5);
  // The Worker: identity and wrapping key; one key for sealing, one for opening after the reload.
  expect(count("worker", "generateKey")).toBeGreaterThanOrEqual(2);
  expect(count("worker", "unwrapKey")).toBeGreaterThanOrEqual(2);
  expect(count("worker", "deriveKey")).toBeGreaterThanOrEqual(4);
  // Where the engine has ML-KEM data keys come by X25519 and ML-KEM-768.
  expect(count("worker", "decapsulateKey")).toBeGreaterThanOrEqual(2);
  expect(count("worker", "encrypt")).toBeGreaterThanOrEqual(2);
  expect(count("worker", "decrypt")).toBeGreaterThanOrEqual(2);
  expect(count("worker", "verify")).toBeGreaterThanOrEqual(2);
  // Nothing of the hierarchy is handled outside of the Worker.
  for (const realm of ["page", "iframe"]) {
    for (const method of ["unwrapKey", "deriveKey", "encrypt", "decrypt"])
      expect(count(realm, method), `${realm} ${method}`).toBe(0);
  }
});

it("Promise 2: planted violations are seen (positive control)", async () => {
  const before = browsing.recorder!.calls.length;
  await page.evaluate(async () => {
    const raw = crypto.getRandomValues(new Uint8Array(32));
    await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    await crypto.subtle.exportKey("jwk", made);
    const base = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveBits"]);
    const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: new Uint8Array() };
    await crypto.subtle.deriveBits(hkdf, base, 256);
    const derivable = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveKey"]);
    const label = { ...hkdf, info: new TextEncoder().encode("DERIVEKEY") };
    const mac = { name: "HMAC", hash: "SHA-256", length: 256 };
    const disguised = await crypto.subtle.deriveKey(label, derivable, mac, true, ["sign"]);
    await crypto.subtle.sign("HMAC", disguised, raw);
    new MessageChannel().port1.postMessage({ made });
  });
  await expect
    .poll(() =>
      violations(browsing.recorder!.calls.slice(before))
        .map(({ method }) => method)
        .sort(),
    )
    .toEqual([
      "deriveBits",
      "deriveKey",
      "exportKey",
      "generateKey",
      "importKey",
      "importKey",
      "importKey",
      "postMessage",
      "sign",
    ]);
});
