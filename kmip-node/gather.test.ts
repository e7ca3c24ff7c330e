import { expect, it } from "vitest";
import { Framing, REQUEST_MESSAGE } from "./framing.ts";
import { gather } from "./gather.ts";
import { TextFraming } from "./text-framing.ts";

const LENGTH = 100_000;
const bytes = Uint8Array.from({ length: LENGTH }, (_, index) => index);

it.each([1, 3, 1000, 4095, 4096, 16_384])("keeps the order of chunks of %i bytes, and holds few", (size) => {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < LENGTH; at += size) gather(chunks, bytes.subarray(at, at + size));
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  expect(chunks.length).toBeLessThanOrEqual(12 + LENGTH / 4096);
});

it("messages that come a byte at a time are those that were sent", () => {
  const binary = Buffer.alloc(8 + 5000, 7);
  binary.writeUInt32BE(REQUEST_MESSAGE * 256 + 1);
  binary.writeUInt32BE(5000, 4);
  const text = Buffer.from(JSON.stringify({ tag: "x".repeat(5000) }));
  const framings = [
    [new Framing(REQUEST_MESSAGE, 10_000), binary],
    [new TextFraming("json", "RequestMessage", 10_000), text],
  ] as const;
  for (const [framing, message] of framings) {
    const found: Uint8Array[] = [];
    for (const byte of Buffer.concat([message, message])) found.push(...framing.push(Uint8Array.of(byte)));
    expect(found.map((each) => Buffer.compare(each, message))).toEqual([0, 0]);
  }
});
