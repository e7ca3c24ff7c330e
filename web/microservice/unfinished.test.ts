import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { parseHeader } from "#protocol/envelope/index.ts";
import type { PortClient } from "#protocol/port/index.ts";
import { type Authority, DN, makeAuthority, ORIGIN } from "./authority.fixture.ts";
import { collect, context, TestBrowser } from "./browser.fixture.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

let authority: Authority;
let browser: TestBrowser;
let client: PortClient;
let edk: string;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(async () => {
  browser = new TestBrowser(authority);
  const enrolled = await browser.enrolledClient();
  ({ client } = enrolled);
  const key = await authority.release(enrolled.instance.wrappingCertificate);
  ({ edk } = key);
  await client.load(key);
});

const plaintext = new Uint8Array(1_500_000).map((_, i) => (i * 151 + (i >> 9)) & 0xff);
const sealed = (by: PortClient, source = plaintext, of = context) =>
  collect(by.seal({ edk, context: of, keep: true }, source));
const messageId = (message: Uint8Array) => Buffer.from(parseHeader(message)!.messageId).toString("hex");
async function reloaded(): Promise<PortClient> {
  const again = browser.start().client;
  await again.hello(DN);
  return again;
}

it("a message goes on after a reload as the same bytes, and opens", async () => {
  const before = await collect(
    client.seal({ edk, context, keep: true }, plaintext).pipeThrough(cutAfter(600_000)),
  );
  const again = await reloaded();
  expect(await again.unfinished()).toEqual([context]);
  const message = await sealed(again);
  expect(Buffer.compare(before, message.subarray(0, before.length))).toBe(0);
  expect(Buffer.compare(await collect(again.open({ context }, message)), plaintext)).toBe(0);
});

it("is not gone on with by other content, by another document, or without `keep`", async () => {
  const message = await sealed(client);
  const again = await reloaded();
  for (const at of [0, plaintext.length - 1]) {
    const other = plaintext.slice();
    other[at]! ^= 1;
    await expect(sealed(again, other)).rejects.toMatchObject({ code: "source-changed" });
  }
  await expect(sealed(again, plaintext.subarray(1))).rejects.toMatchObject({ code: "source-changed" });
  const elsewhere = { ...context, document: "d-2" };
  expect(await again.unfinished()).toEqual([context]);
  const ids = [message, await sealed(again, plaintext, elsewhere)];
  ids.push(await collect(again.seal({ edk, context }, plaintext)));
  expect(new Set(ids.map(messageId)).size).toBe(3);
  expect(Buffer.compare(await sealed(again), message)).toBe(0);
});

it("discarded, what comes next is a new message, and what is under way gives nothing more", async () => {
  // More than a port has under way.
  const long = new Uint8Array(16 << 20);
  const reader = client.seal({ edk, context, keep: true }, long).getReader();
  const { value } = await reader.read();
  await client.discard(context);
  expect(await client.unfinished()).toEqual([]);
  const next = await sealed(client);
  expect(messageId(next)).not.toBe(messageId(value!));
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  await expect(rest()).rejects.toMatchObject({ code: "source-changed" });
});

it("two that seal at once under one context give one message, and of different contents one at most", async () => {
  const [one, two] = await Promise.all([sealed(client), sealed(await reloaded())]);
  expect(Buffer.compare(one, two)).toBe(0);
  await client.discard(context);
  const other = plaintext.slice().fill(0);
  const both = await Promise.allSettled([sealed(client), sealed(client, other)]);
  expect(both.filter(({ status }) => status === "fulfilled").length).toBeLessThan(2);
});

it("goes a week after it was begun, whatever became of its instance", async () => {
  const kept = async () => (await browser.store.messages({ origin: ORIGIN, custodian: DN })).length > 0;
  await sealed(client);
  expect(await kept()).toBe(true);
  browser.pass(6 * 24 * 3600_000);
  await reloaded();
  expect(await kept()).toBe(true);
  browser.pass(24 * 3600_000);
  await reloaded();
  expect(await kept()).toBe(false);
});

it("goes with its session", async () => {
  const kept = async () => (await browser.store.messages({ origin: ORIGIN, custodian: DN })).length > 0;
  await sealed(client);
  browser.session = () => ({ tenant: "acme", user: "u-2", session: "s-2" });
  await browser.start().client.hello(DN.replace("u-1", "u-2"));
  expect(await kept()).toBe(false);
});

it("goes when the instances of its origin are deleted", async () => {
  await sealed(client);
  await client.forget();
  const enrolled = await browser.enrolledClient();
  expect(await enrolled.client.unfinished()).toEqual([]);
});

/** Ends after so many bytes. */
function cutAfter(limit: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      length += chunk.length;
      if (length > limit) controller.terminate();
      else controller.enqueue(chunk);
    },
  });
}
