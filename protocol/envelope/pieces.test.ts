import { expect, it } from "vitest";
import { concat, utf8 } from "../bytes.ts";
import { draftMessage, joinMessage, open, type Piece, seal, splitMessage } from "./index.ts";
import { deriveCommitment, deriveMessageKey, tagHeader } from "./keys.ts";
import { FRAME_LENGTH, SUITE } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const { subtle } = crypto;
const context = { tenant: "acme", account: "a1", purpose: "data" };
const encryptedDataKeys = [
  { providerId: "coffer", providerInfo: utf8("k.1"), encryptedDataKey: utf8("edk") },
];
const random = (array: Bytes) => crypto.getRandomValues(array);
const dataKey = await subtle.importKey("raw", random(new Uint8Array(32)), "HKDF", false, ["deriveKey"]);

const read = async (stream: ReadableStream<Bytes>) =>
  new Uint8Array(await new Response(stream).arrayBuffer());
const gcm = ({ iv, additionalData }: Piece) => ({ name: "AES-GCM", iv, additionalData });
const sealed = (length: number, frameLength?: number) =>
  read(
    seal(new Blob([new Uint8Array(length).fill(5)]), {
      ...{ subtle, random, dataKey, context, encryptedDataKeys },
      ...(frameLength && { frameLength }),
    }),
  );

it.each([0, 1, FRAME_LENGTH, FRAME_LENGTH + 1, 3 * FRAME_LENGTH])(
  "makes a message of %i bytes in pieces that opens as any other",
  async (length) => {
    const messageId = random(new Uint8Array(32));
    const plaintext = new Uint8Array(length).map((_, index) => index % 251);
    const draft = draftMessage(plaintext, { messageId, context, encryptedDataKeys });
    const key = await deriveMessageKey(subtle, dataKey, { suite: SUITE, messageId }, "encrypt");
    const commitment = await deriveCommitment(subtle, dataKey, messageId);
    const tag = await tagHeader(subtle, key, concat(draft.start, commitment));
    const pieces = draft.pieces.map(
      async (piece) => new Uint8Array(await subtle.encrypt(gcm(piece), key, piece.bytes)),
    );
    const message = joinMessage(draft, { commitment, tag, sealed: await Promise.all(pieces) });
    const opened = await read(open(message, { subtle, dataKey: () => dataKey, context }));
    expect(opened.length).toBe(length);
    expect(Buffer.from(opened).equals(plaintext)).toBe(true);
  },
);

it("takes a message apart that was sealed as a stream, and each frame decrypts by itself", async () => {
  const message = await sealed(2500, 1000);
  const { header, pieces } = splitMessage(message);
  expect(pieces.map(({ bytes }) => bytes.length - 16)).toEqual([1000, 1000, 500]);
  const key = await deriveMessageKey(subtle, dataKey, header, "decrypt");
  for (const piece of pieces)
    expect(new Uint8Array(await subtle.decrypt(gcm(piece), key, piece.bytes)).every((b) => b === 5)).toBe(
      true,
    );
});

it("takes no message apart that is cut, goes on, has too many frames or is of another kind", async () => {
  const message = await sealed(2500, 1000);
  const { header } = splitMessage(message);
  const altered = (at: number, value: number) => {
    const copy = message.slice();
    copy[at] = value;
    return copy;
  };
  const wrong = [
    ...Array.from({ length: 60 }, (_, n) => message.slice(0, Math.floor((n * message.length) / 60))),
    message.slice(0, -1),
    concat(message, new Uint8Array(1)),
    // The number of a frame; its length; the suite.
    altered(header.length + 3, 2),
    altered(message.length - 516 - 1, 1),
    altered(1, 0x05),
    await sealed(66, 1),
  ];
  for (const bytes of wrong)
    expect(() => splitMessage(bytes)).toThrow(expect.objectContaining({ code: "decrypt-failed" }));
  expect(splitMessage(await sealed(64, 1)).pieces).toHaveLength(64);
});

it("joins nothing that is not what the message lacks", () => {
  const draft = draftMessage(utf8("a"), { messageId: new Uint8Array(32), context, encryptedDataKeys });
  const whole = { commitment: new Uint8Array(32), tag: new Uint8Array(16), sealed: [new Uint8Array(17)] };
  expect(joinMessage(draft, whole).length).toBeGreaterThan(100);
  for (const part of [
    { commitment: new Uint8Array(31) },
    { tag: new Uint8Array(12) },
    { sealed: [] },
    { sealed: [new Uint8Array(16)] },
  ])
    expect(() => joinMessage(draft, { ...whole, ...part })).toThrow(TypeError);
});
