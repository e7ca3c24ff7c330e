/** M21 in Chromium: the vault has another release while a document is being sealed. The page changes over to it without a reload. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { concat, utf8 } from "#protocol/bytes.ts";
import { compileWeb } from "#web/build.ts";
import { type BuiltWeb, pinWeb } from "#web/pin.ts";
import { openEnrolled, readRows, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser();
const { system } = running;
const outDir = mkdtempSync(join(tmpdir(), "coffer-release-"));
let next: BuiltWeb;
let page: Page;
let context: BrowserContext;

beforeAll(async () => {
  const parts = new Map(await compileWeb());
  const file = "vault/microservice.js";
  parts.set(file, concat(parts.get(file)!, utf8("\n// another release\n")));
  const { rootKey } = system.running;
  next = await pinWeb(parts, { rootKey, outDir });
  page = await openEnrolled(running, "Ada");
  context = page.context();
});
afterAll(() => rmSync(outDir, { recursive: true, force: true }));

/** The vault's files of the other release, in the place of those that the edge has. */
async function deploy(): Promise<void> {
  for (const name of readdirSync(join(outDir, "vault"))) {
    const body = readFileSync(join(outDir, "vault", name));
    const path = name === "index.html" ? "/" : `/${name}`;
    // The document is asked for at another address each time.
    const isAsked = ({ origin, pathname }: URL) => origin === system.vaultOrigin && pathname === path;
    await context.route(isAsked, async (route) => {
      const answered = await route.fetch({
        url: `${system.vaultOrigin}/${name === "index.html" ? "" : "page.js"}`,
      });
      await route.fulfill({ response: answered, body });
    });
  }
}

/** In the page, for the code that comes later. */
type Held = {
  coffer: Awaited<ReturnType<Parameters<Parameters<typeof withKit>[1]>[0]["connect"]>>;
  source: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  sealing: Promise<{ id: string }>;
  measurement: string;
  instance: string;
  /** Wrapping certificate of the instance before. */
  certificate: string;
};

it("M21 in Chromium a new release enrols beside the old one in the midst of an upload: that ends on the old one, what is new goes to the new one, nothing is lost, and the old instance is refused", async () => {
  const size = 12 * 1024 * 1024;
  const began = await withKit(
    page,
    async (kit, { vault, size }) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const before = await coffer.seal(new File(["before"], "before.txt"));
      const state = coffer.microservice;
      if (state.phase !== "ready") throw new Error(state.phase);
      let source!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
      const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          source = controller;
        },
      });
      const sealing = coffer.seal(stream, { name: "long.bin" });
      sealing.catch(() => {});
      source.enqueue(new Uint8Array(size / 2).fill(1));
      const { id: instance, wrappingCertificate: certificate } = state.instance;
      const held = { coffer, source, sealing, measurement: state.measurement, instance, certificate };
      Object.assign(globalThis, { held });
      return { before: before.id, instance: held.instance, updated: await coffer.update() };
    },
    { vault: system.vaultOrigin, size },
  );
  expect(began.updated, "the same release").toBe(false);
  await deploy();
  const after = await withKit(
    page,
    async (kit, { before, size }) => {
      const { held } = globalThis as unknown as { held: Held };
      const { coffer, source, sealing } = held;
      const updated = await coffer.update();
      const state = coffer.microservice;
      if (state.phase !== "ready") throw new Error(state.phase);
      const read = async (id: string) => new Response((await coffer.open(id)).stream).bytes();
      const old = new TextDecoder().decode(await read(before));
      const { id } = await coffer.seal(new File(["meanwhile"], "meanwhile.txt"));
      source.enqueue(new Uint8Array(size / 2).fill(2));
      source.close();
      const long = await read((await sealing).id);
      return {
        updated,
        changed: state.measurement !== held.measurement && state.instance.id !== held.instance,
        measurement: state.measurement,
        instance: state.instance.id,
        old,
        meanwhile: new TextDecoder().decode(await read(id)),
        long: [long.length, long[0], long[size / 2 - 1], long[size / 2], long[size - 1]],
        frames: document.querySelectorAll("iframe").length,
        refusal: await kit.refusal(coffer.update()),
      };
    },
    { before: began.before, size },
  );
  expect(after).toMatchObject({
    updated: true,
    changed: true,
    old: "before",
    meanwhile: "meanwhile",
    refusal: null,
  });
  expect(after.measurement).toBe(next.measurement);
  expect(after.long).toEqual([size, 1, 1, 2, 2]);
  const statusOf = (id: string) => readRows(system.edgeDir, "instances").find((row) => row.id === id)?.status;
  await expect.poll(() => statusOf(began.instance), { timeout: 90_000, interval: 1000 }).toBe("revoked");
  expect(statusOf(after.instance)).toBe("active");
  const opened = await withKit(
    page,
    async (kit, { before, vault }) => {
      const { held } = globalThis as unknown as { held: Held };
      const { coffer } = held;
      const text = await new Response((await coffer.open(before)).stream).text();
      // Of the old one, by its certificate: the KMS wraps nothing to it any more.
      const rest = await kit.rest(vault);
      const order = { account: coffer.identity!.accounts[0]!.id, count: 1, purpose: "document" };
      const { edks } = await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: order });
      const load = (certificate: string) =>
        kit.refusal(rest.json("POST", "/kms/loads", { json: { way: "rewrap", edk: edks[0], certificate } }));
      const state = coffer.microservice;
      const own = state.phase === "ready" ? state.instance.wrappingCertificate : "";
      const refusals = [await load(held.certificate), await load(own)];
      return { text, refusals, frames: document.querySelectorAll("iframe").length };
    },
    { before: began.before, vault: system.vaultOrigin },
  );
  expect(opened.refusals, "the old one is refused, and the new one is not").toEqual(["not-recipient", null]);
  expect(opened.text, "documents open").toBe("before");
  expect(opened.frames, "the old one has gone from the page").toBe(after.frames - 1);
}, 180_000);
