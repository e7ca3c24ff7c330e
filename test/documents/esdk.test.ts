/** A foreign reader and writer: AWS's own client and our microservice, under a data key that the HSM made. */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseHeader, seal } from "#protocol/envelope/index.ts";
import type { PortClient } from "#protocol/port/index.ts";
import { useSystem, watchKeys } from "../system/index.ts";
import { AccountKeyring, awsOpen, awsSeal, FixedKeyring } from "./aws.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const keys = watchKeys();
const system = useSystem();
let client: Awaited<ReturnType<typeof connectNode>>;
let port: PortClient;
let edk: string;
let keyring: AccountKeyring;
/** What the microservice insists on; anything may stand beside it. */
let own: { tenant: string; account: string; purpose: string };

beforeAll(async () => {
  client = await connectNode(system, "Ada");
  const account = client.identity.accounts[0]!.id;
  // So long that it goes up in parts.
  await client.documents.seal(new Uint8Array(200_000), account, { name: "first" });
  ({ port } = await client.microservice.use());
  const message = client.sent.find(({ path }) => path.includes("/parts/"))!.body;
  ({ edk } = await port.inspect(message));
  keyring = new AccountKeyring(() => keys.ofClass("account").map(({ bytes }) => bytes), edk);
  own = { tenant: client.identity.tenant, account, purpose: "document" };
});
afterAll(async () => {
  client?.close();
  keys.stop();
});

/** Names that the SDK keeps for itself begin with aws-crypto-; `__proto__` is lost in its plain objects. */
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 24 })
  .filter((text) => text.isWellFormed() && !text.startsWith("aws-crypto-") && text !== "__proto__");
const value = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => text.isWellFormed());
const context = fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true });
/** Around the edges of `frames` frames, or anywhere. */
const around = (frameLength: number, maximum: number) =>
  fc.oneof(
    fc
      .record({ frames: fc.nat(4), more: fc.integer({ min: -1, max: 1 }) })
      .map(({ frames, more }) => Math.max(0, frames * frameLength + more)),
    fc.nat(maximum),
  );
const pattern = new Uint8Array(4 << 20).map((_, i) => (i * 151 + (i >> 9)) & 0xff);
const bytes = (length: number) => pattern.slice(0, length);

describe("AWS's client", () => {
  it("reads what the microservice seals, over random lengths and contexts", async () => {
    await fc.assert(
      fc.asyncProperty(around(256 << 10, 3 << 20), context, async (length, more) => {
        const asked = { ...more, ...own };
        const message = await bytesOf(port.seal({ edk, context: asked }, bytes(length)));
        const opened = await awsOpen(keyring, message);
        expect(Buffer.compare(opened.plaintext, bytes(length))).toBe(0);
        expect(opened.context).toEqual(asked);
      }),
      { numRuns: 25, seed: 478 },
    );
  });

  it("reads what the envelope seals in frames of any length", async () => {
    const dataKey = await crypto.subtle.importKey("raw", new Uint8Array(32).fill(5), "HKDF", false, [
      "deriveKey",
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 70_000 }).chain((frameLength) =>
          fc.record({
            frameLength: fc.constant(frameLength),
            length: around(frameLength, Math.min(300_000, frameLength * 200)),
          }),
        ),
        context,
        async ({ frameLength, length }, asked) => {
          const stream = seal(bytes(length), {
            subtle: crypto.subtle,
            random: (array) => crypto.getRandomValues(array),
            dataKey,
            context: asked,
            encryptedDataKeys: [
              {
                providerId: "fixed",
                providerInfo: new Uint8Array([49]),
                encryptedDataKey: new Uint8Array(1),
              },
            ],
            frameLength,
          });
          const opened = await awsOpen(new FixedKeyring(new Uint8Array(32).fill(5)), await bytesOf(stream));
          expect(Buffer.compare(opened.plaintext, bytes(length))).toBe(0);
          expect(opened.context).toEqual(asked);
        },
      ),
      { numRuns: 40, seed: 479 },
    );
  });

  it("writes what the microservice opens, over random frame lengths, contexts and lengths", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300_000 }).chain((frameLength) =>
          fc.record({
            frameLength: fc.constant(frameLength),
            length: around(frameLength, Math.min(1 << 20, frameLength * 200)),
          }),
        ),
        context,
        async ({ frameLength, length }, more) => {
          const asked = { ...more, ...own };
          const message = await awsSeal(keyring, bytes(length), asked, frameLength);
          expect(parseHeader(message)).toMatchObject({ frameLength });
          const opened = await bytesOf(port.open({ context: asked }, message));
          expect(Buffer.compare(opened, bytes(length))).toBe(0);
          const other = { ...asked, document: "another" };
          await expect(bytesOf(port.open({ context: other }, message))).rejects.toMatchObject({
            code: "decrypt-failed",
          });
        },
      ),
      { numRuns: 30, seed: 480 },
    );
  });

  it("opens a document as it lies in the datastore, and refuses it with one bit changed", async () => {
    await client.documents.seal(bytes(700_000), own.account, { name: "stored.bin" });
    const message = client.sent.findLast(({ path }) => path.includes("/parts/"))!.body;
    const opened = await awsOpen(keyring, message).catch((error: unknown) => error);
    expect(opened, "opened by AWS's client").not.toBeInstanceOf(Error);
    const { plaintext, context } = opened as Awaited<ReturnType<typeof awsOpen>>;
    expect(Buffer.compare(plaintext, bytes(700_000))).toBe(0);
    expect(Object.keys(context).sort()).toEqual(["account", "document", "purpose", "tenant"]);
    const changed = message.slice();
    changed[changed.length - 1]! ^= 1;
    await expect(awsOpen(keyring, changed)).rejects.toThrow();
  });
});
