import { expect, it } from "vitest";
import { concat } from "../bytes.ts";
import { excerptOf, openExcerpt } from "./excerpt.ts";
import { sealedLength } from "./frame.ts";
import { type Header, parseHeader, serialiseHeader } from "./header.ts";
import { open } from "./open.ts";
import type { OpenOptions } from "./opening.ts";
import { openRanged } from "./ranged.ts";
import { seal } from "./seal.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const { subtle } = crypto;
const random = <T extends Bytes>(array: T) => crypto.getRandomValues(array);
const hkdf = () => subtle.importKey("raw", random(new Uint8Array(32)), "HKDF", false, ["deriveKey"]);
const [dataKey, master, other] = await Promise.all([hkdf(), hkdf(), hkdf()]);
const context = { tenant: "acme", account: "a-1", document: "d-1", purpose: "document" };
const encryptedDataKeys = [
  { providerId: "coffer", providerInfo: new Uint8Array([107]), encryptedDataKey: new Uint8Array([1]) },
];
const FRAME = 100;
const bytes = async (stream: ReadableStream<Bytes>) =>
  new Uint8Array(await new Response(stream).arrayBuffer());
const sealed = (plaintext: Bytes, layer?: { id: string; key: CryptoKey }) =>
  bytes(seal(plaintext, { subtle, random, dataKey, context, encryptedDataKeys, layer, frameLength: FRAME }));
const opening = (layerKey: OpenOptions["layerKey"] = () => master): OpenOptions => ({
  ...{ subtle, context, dataKey: () => dataKey },
  layerKey,
});
const failed = { code: "decrypt-failed" };

it.each([0, 1, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME, 1234])(
  "W14 seals %i bytes under two keys, names the outer one, and opens them",
  async (length) => {
    const plaintext = random(new Uint8Array(length));
    const message = await sealed(plaintext, { id: "m-1", key: master });
    const header = parseHeader(message)!;
    expect(header.layer).toBe("m-1");
    expect(message.length).toBe(sealedLength(length, header.length, FRAME, header.layer));
    const asked: string[] = [];
    const layerKey = (id: string) => {
      asked.push(id);
      return master;
    };
    await expect(bytes(open(message, opening(layerKey)))).resolves.toEqual(plaintext);
    expect(asked).toEqual(["m-1"]);
    await expect(bytes(open(message, { subtle, context, dataKey: () => dataKey }))).rejects.toMatchObject(
      failed,
    );
    await expect(
      bytes(
        open(
          message,
          opening(() => other),
        ),
      ),
    ).rejects.toMatchObject(failed);
  },
);

it("W14 opens a part of it by the frames alone that hold the part", async () => {
  const plaintext = random(new Uint8Array(1234));
  const message = await sealed(plaintext, { id: "m-1", key: master });
  const header = parseHeader(message)!;
  for (const [offset, length] of [
    [0, 1],
    [250, 333],
    [FRAME, FRAME],
    [1200, 34],
    [1233, 100],
  ] as const) {
    const part = plaintext.slice(offset, offset + length);
    const excerpt = { offset, length, size: message.length };
    const cut = excerptOf(header, excerpt);
    const cutOut = concat(
      message.slice(0, header.length),
      message.slice(cut.offset, cut.offset + cut.length),
    );
    expect(cutOut.length).toBeLessThan(message.length);
    expect(await bytes(openExcerpt(cutOut, excerpt, opening()))).toEqual(part);
    const ranged = openRanged(message, opening());
    expect(new Uint8Array(await ranged.slice(offset, offset + length).arrayBuffer())).toEqual(part);
    expect(await ranged.size()).toBe(1234);
  }
});

it("W14 is the same message as without, once the layer is off; no key of either opens the other's", async () => {
  const plaintext = random(new Uint8Array(250));
  // The data key alone opens nothing of the frames, nor does the master key.
  const message = await sealed(plaintext, { id: "m-1", key: master });
  const plain = await sealed(plaintext);
  expect(parseHeader(plain)!.layer).toBeUndefined();
  expect(message.length - parseHeader(message)!.length - (plain.length - parseHeader(plain)!.length)).toBe(
    3 * 16,
  );
  await expect(bytes(open(message, { ...opening(), dataKey: () => master }))).rejects.toMatchObject(failed);
});

/** The message with another header before the same frames. */
function withHeader(message: Bytes, change: (header: Header) => Partial<Header>): Bytes {
  const header = parseHeader(message)!;
  const { body } = serialiseHeader({ ...header, ...change(header) });
  return concat(body, header.tag, message.slice(header.length));
}

it("W14 refuses a message whose layer was stripped, renamed or added, and any byte that is another", async () => {
  const plaintext = random(new Uint8Array(250));
  const message = await sealed(plaintext, { id: "m-1", key: master });
  const plain = await sealed(plaintext);
  const own = ({ encryptedDataKeys: [first] }: Header) => ({ encryptedDataKeys: [first!] });
  const entry = parseHeader(message)!.encryptedDataKeys[1]!;
  const named = (providerInfo: string) => ({
    ...entry,
    providerInfo: new TextEncoder().encode(providerInfo),
  });
  const forged = [
    withHeader(message, own),
    withHeader(message, (header) => ({ encryptedDataKeys: [header.encryptedDataKeys[0]!, named("m-2")] })),
    withHeader(plain, (header) => ({ encryptedDataKeys: [...header.encryptedDataKeys, entry] })),
    // Only the outer tags are gone: the layer is said to be off, and its ciphertext stays.
    withHeader(plain, () => ({ encryptedDataKeys: parseHeader(message)!.encryptedDataKeys })),
  ];
  for (const each of forged) await expect(bytes(open(each, opening()))).rejects.toMatchObject(failed);
  expect(() =>
    parseHeader(
      withHeader(message, (header) => ({ encryptedDataKeys: [...header.encryptedDataKeys, entry] })),
    ),
  ).toThrow();
  for (let at = 0; at < message.length; at += 7) {
    const altered = message.slice();
    altered[at]! ^= 1;
    await expect(bytes(open(altered, opening()))).rejects.toMatchObject(failed);
  }
});

it("W14 takes a key for the layer that derives and does nothing else", async () => {
  const raw = random(new Uint8Array(32));
  const bits = await subtle.importKey("raw", raw, "HKDF", false, ["deriveBits", "deriveKey"]);
  await expect(sealed(new Uint8Array(1), { id: "m-1", key: bits })).rejects.toMatchObject({
    code: "key-unusable",
  });
});
