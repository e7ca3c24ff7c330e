import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import { encodeItem, itemFromXml, parseXml, type XmlElement } from "#protocol/kmip/index.ts";
import { launchChromium } from "../../chromium/index.ts";
import { findVectors } from "../../support/missing.ts";
import { neutralBundle } from "../../support/neutral-bundle.ts";
import { type Message, probe } from "./probe.ts";

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const vectors = findVectors("kmip");
const folder = vectors ?? "";

/** The messages that the publications have in several encodings, and those of a sample of the test cases. */
function messages(): Message[] {
  const { vectors } = json("hex/oasis-spec-9.1.2-examples.json") as { vectors: { ttlv: string }[] };
  const published = json("hex/oasis-addtl-msg-enc-v1.0.json") as {
    ttlv: string;
    xml: string;
    json: object | null;
  }[];
  const whole = [
    ...vectors.map(({ ttlv }) => ttlv.toLowerCase()),
    ...published.map(({ ttlv }) => ttlv),
    ...globSync("oasis/{v1.4,v2.1}/**/*.xml", { cwd: folder })
      .toSorted()
      .filter((_, index) => index % 6 === 0)
      .flatMap(messagesOf),
  ].map((bytes): Message => ({ bytes, encoding: "ttlv" }));
  const texts = published.flatMap(({ xml, json: object }): Message[] => [
    { bytes: encodeHex(utf8(xml)), encoding: "xml" },
    { bytes: encodeHex(utf8(JSON.stringify(object))), encoding: "json" },
  ]);
  const damaged = published.flatMap(({ ttlv }, index): Message[] => [
    { bytes: ttlv.slice(0, 2 * (8 + index)), encoding: "ttlv" },
    { bytes: `${ttlv.slice(0, 16)}ff${ttlv.slice(18)}`, encoding: "ttlv" },
  ]);
  return [...whole, ...texts, ...damaged];
}

const json = (path: string): unknown => JSON.parse(readFileSync(join(folder, path), "utf8"));

/** TTLV of the messages of a test case, with something of the right type for each placeholder. */
function messagesOf(path: string): string[] {
  const limits = { maximumLength: 1 << 24, maximumItems: 1 << 18, ignoreText: true };
  const root = parseXml(readFileSync(join(folder, path), "utf8"), limits);
  for (const child of root.children) substitute(child);
  return root.children.map((child) => encodeHex(encodeItem(itemFromXml(child))));
}

function substitute({ attributes, children }: XmlElement): void {
  const type = attributes.get("type");
  if (attributes.get("value")?.startsWith("$") && type !== "TextString")
    attributes.set("value", type === "DateTime" ? "2020-02-20T20:20:20Z" : "0102030405060708");
  for (const child of children) substitute(child);
}

describe.skipIf(!vectors)("the codec and the client do the same in every runtime", () => {
  let given: Message[];
  let expected: string[];
  beforeAll(async () => {
    given = messages();
    expected = await probe(given);
  });

  it("in Node, most messages come back as they were and the damaged are refused", () => {
    expect(given.length).toBeGreaterThan(300);
    const refusals = expected.filter((outcome) => /^\w*Error: /.test(outcome));
    expect(refusals.every((outcome) => outcome.startsWith("KmipDecodeError: "))).toBe(true);
    expect(refusals.length).toBeGreaterThan(30);
    expect(refusals.length).toBeLessThan(given.length / 4);
  });

  describe("in workerd", () => {
    let miniflare: Miniflare;
    afterAll(() => miniflare?.dispose());

    it("as in Node", async () => {
      const script = await neutralBundle(beside("worker.ts"), "esm");
      const options = { modules: true, script, compatibilityDate: "2026-08-01" };
      miniflare = new Miniflare(convertV4MiniflareOptions(options));
      const answer = await fetch(await miniflare.ready, { method: "POST", body: JSON.stringify(given) });
      expect(await answer.json()).toEqual(expected);
    });
  });

  describe("in Chromium", () => {
    let chromium: Awaited<ReturnType<typeof launchChromium>>;
    afterAll(() => chromium?.close());

    it("as in Node", async () => {
      chromium = await launchChromium();
      const page = await chromium.browser.newPage();
      await page.addScriptTag({ content: await neutralBundle(beside("page.ts"), "iife") });
      const outcomes = await page.evaluate(
        (all) => (globalThis as unknown as { probe(all: Message[]): Promise<string[]> }).probe(all),
        given,
      );
      expect(outcomes).toEqual(expected);
    });
  });
});
