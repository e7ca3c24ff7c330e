import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../chromium/index.ts";
import { neutralBundle } from "../support/neutral-bundle.ts";
import { emulatorCases, nitroCases, realCases, tpmCases } from "./cases.ts";
import { type Case, probe } from "./probe.ts";

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));

let given: Case[];
let expected: string[];
beforeAll(async () => {
  given = [...(await emulatorCases()), ...(await nitroCases()), ...(await tpmCases()), ...realCases()];
  expected = await probe(given);
});

describe("the verifier of evidence does the same in every runtime", () => {
  it("in Node, the good are taken and the others refused", () => {
    const taken = given.filter((_, i) => !/^\w*Error\b/.test(expected[i]!));
    expect(taken).toEqual(given.filter(({ good }) => good));
    expect(taken.length).toBeGreaterThan(10);
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
