/** The app's Service Worker as a host of the contract (M15, promise 4): the same cases, in Chromium, by a page's microservice in the vault. */

import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { service } from "#protocol/contract/index.ts";
import type { KeyAlgorithm } from "#protocol/keys/index.ts";
import { type Answer, json, problem } from "../support/http.ts";
import { openEnrolled, useSystemAndBrowser, withKit } from "../system/index.ts";
import { type ContractHost, contractCases, operated, type Sent } from "./contract.ts";
import { kindOf } from "./kind.ts";

const running = useSystemAndBrowser();
const { system } = running;
const data = encodeBase64url(utf8("through the Service Worker"));
let page: Page;
let context: Record<string, string>;

beforeAll(async () => {
  page = await openEnrolled(running, "Ada");
  context = await serve(page);
});
afterAll(() => page?.close());

/** The page connects, and lends its microservice: the context of what is sealed by it. */
const serve = (one: Page) =>
  withKit(
    one,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      await kit.serveByServiceWorker(coffer);
      const { tenant, accounts } = coffer.identity!;
      return { tenant, account: accounts[0]!.id, purpose: "data" };
    },
    system.vaultOrigin,
  );

/** What a program in the page gets. */
async function ask(one: Page, method: string, path: string, { body, bytes }: Sent = {}): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const type = bytes ? "application/octet-stream" : "application/json";
  const given = { method, path, type, text, bytes: bytes && Buffer.from(bytes).toString("base64") };
  const answer = await one.evaluate(async ({ method, path, type, text, bytes }) => {
    const decoded = bytes === undefined ? undefined : Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
    const payload = decoded ?? text;
    const init =
      payload === undefined ? { method } : { method, body: payload, headers: { "content-type": type } };
    const response = await fetch(`/microservice${path}`, init as RequestInit);
    const read = new Uint8Array(await response.arrayBuffer());
    let binary = "";
    for (const byte of read) binary += String.fromCharCode(byte);
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, headers, base64: btoa(binary) };
  }, given);
  const read = Buffer.from(answer.base64, "base64");
  return { status: answer.status, headers: answer.headers, bytes: read, text: read.toString() };
}

const hostOf = (one: () => Page): ContractHost => ({
  send: (method, path, sent) => ask(one(), method, path, sent),
  async key(algorithm: KeyAlgorithm) {
    const order = { account: context.account, count: 1, ...kindOf(algorithm) };
    const [edk = ""] = await kms<{ edks: string[] }>("/kms/data-keys", order).then(({ edks }) => edks);
    await this.take(edk);
    return edk;
  },
  async take(edk: string) {
    const { instance } = json<{ instance: { wrappingCertificate: string } }>(
      await ask(one(), "GET", service.describe.path),
    );
    const request = { way: "rewrap", edk, certificate: instance.wrappingCertificate };
    const body = await kms<object>("/kms/loads", request);
    expect((await ask(one(), "POST", service.load.path, { body })).status).toBe(201);
  },
  context: () => context,
});

const kms = <T extends object>(path: string, body: object) =>
  withKit(
    page,
    async (kit, { vault, path, body }) => (await kit.rest(vault)).json<T>("POST", path, { json: body }),
    { vault: system.vaultOrigin, path, body },
  );

const host = hostOf(() => page);
describe("M15 M16 the service contract: Service Worker", () => contractCases(() => host));

it("M15 streams documents through the Service Worker, both ways", async () => {
  const key = await host.key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
  const asked = encodeBase64url(utf8(JSON.stringify(context)));
  const document = new Uint8Array(1_500_000).map((_, index) => index % 241);
  const query = `?${new URLSearchParams({ key, context: asked })}`;
  const sealed = await ask(page, "POST", `/streams/seal${query}`, { bytes: document });
  expect(sealed.status).toBe(200);
  const opened = await ask(page, "POST", `/streams/open?context=${asked}`, { bytes: sealed.bytes });
  expect(opened.bytes.equals(document)).toBe(true);
  const altered = Buffer.from(sealed.bytes);
  altered[20]! ^= 1;
  const refused = await ask(page, "POST", `/streams/open?context=${asked}`, { bytes: altered });
  expect(problem(refused)).toBe("422 decrypt-failed");
});

it("M15 answers by another page of the app when the one that lent has gone, and 503 when there is none", async () => {
  const [other] = await Promise.all([page.context().newPage()]);
  await other.goto(system.appOrigin);
  const { bytes } = await operated(
    hostOf(() => other),
    "random",
    { length: 8 },
  );
  expect(bytes).toMatch(/^[\w-]{11}$/);
  await page.close();
  // Nobody is left that has a microservice to lend; this page is asked, and has none.
  const none = await ask(other, "POST", "/operations/random", { body: { length: 8 } });
  expect(problem(none)).toBe("503 no-microservice");
  expect(Object.keys(json(none)).sort()).toEqual(["code", "status", "title", "type"]);
  // What is not of the contract it leaves alone.
  const rest = await other.evaluate(() => fetch("/openapi.json").then(({ status }) => status));
  expect(rest).toBe(200);
  context = await serve(other);
  page = other;
  const again = await operated(host, "hash", { algorithm: "SHA-256", data });
  expect(again.digest).toMatch(/^[\w-]{43}$/);
});

it("M15 follows no address, sends no form and enrols nobody for a program", async () => {
  expect(
    problem(
      await ask(page, "POST", service.enrol.path, { body: { method: "grant", grant: "x".repeat(43) } }),
    ),
  ).toMatch(/^(400 bad-request|403 forbidden)$/);
  const followed = await page.context().newPage();
  const response = await followed.goto(`${system.appOrigin}/microservice/openapi.json`);
  expect(response?.status()).toBe(403);
  await followed.close();
});
