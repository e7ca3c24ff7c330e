import "reflect-metadata";
import { fileURLToPath } from "node:url";
import * as x509 from "@peculiar/x509";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEvidence, makePlatform } from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { launchChromium } from "../chromium/index.ts";
import { neutralBundle } from "../support/neutral-bundle.ts";
import { type Case, probe } from "./probe.ts";

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const NOW = new Date("2026-11-28T12:00:00Z");
const CODE = "ab".repeat(48);

let given: Case[];
let expected: string[];
beforeAll(async () => {
  const [platform, other] = await Promise.all([makePlatform(NOW), makePlatform(NOW)]);
  const nonce = new Uint8Array(32).fill(7);
  const evidence = makeEvidence(platform, { nonce, client: "alice", measurement: CODE, now: NOW });
  const root = (pem: string) => encodeBase64url(new Uint8Array(x509.PemConverter.decodeFirst(pem)));
  const good: Case = {
    evidence: encodeBase64url(evidence),
    roots: [root(platform.root)],
    nonce: encodeBase64url(nonce),
    subject: "alice",
    now: NOW.getTime(),
  };
  const damaged = Array.from({ length: 40 }, (_, n): Case => {
    const changed = evidence.slice();
    changed[Math.floor((n * changed.length) / 40)]! ^= 1;
    return { ...good, evidence: encodeBase64url(changed) };
  });
  given = [
    good,
    { ...good, roots: [root(other.root), root(platform.root)] },
    { ...good, roots: [root(other.root)] },
    { ...good, nonce: encodeBase64url(new Uint8Array(32)) },
    { ...good, subject: "bob" },
    { ...good, now: NOW.getTime() + 86_400_000 },
    ...damaged,
  ];
  expected = await probe(given);
});

describe("the verifier of evidence does the same in every runtime", () => {
  it("in Node, two are taken and the others refused", () => {
    const claims = { measurements: { code: CODE }, expires: NOW.getTime() + 120_000 };
    expect(expected.slice(0, 2).map((text) => JSON.parse(text))).toEqual([claims, claims]);
    expect(expected.slice(2).filter((outcome) => !/^\w*Error\b/.test(outcome))).toEqual([]);
  });

  it("in workerd as in Node", async () => {
    const script = await neutralBundle(beside("worker.ts"), "esm");
    const options = { modules: true, script, compatibilityDate: "2026-08-01" };
    const miniflare = new Miniflare(convertV4MiniflareOptions(options));
    try {
      const answer = await fetch(await miniflare.ready, { method: "POST", body: JSON.stringify(given) });
      expect(await answer.json()).toEqual(expected);
    } finally {
      await miniflare.dispose();
    }
  });

  describe("in Chromium", () => {
    let chromium: Awaited<ReturnType<typeof launchChromium>>;
    afterAll(() => chromium?.close());

    it("as in Node", async () => {
      chromium = await launchChromium();
      const page = await chromium.browser.newPage();
      // WebCrypto is there for trustworthy origins alone.
      await page.route("http://localhost/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
      await page.goto("http://localhost/");
      await page.addScriptTag({ content: await neutralBundle(beside("page.ts"), "iife") });
      const outcomes = await page.evaluate(
        (all) => (globalThis as unknown as { probe(all: Case[]): Promise<string[]> }).probe(all),
        given,
      );
      expect(outcomes).toEqual(expected);
    });
  });
});
