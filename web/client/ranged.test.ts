import { expect, it } from "vitest";
import { concat, utf8 } from "#protocol/bytes.ts";
import { excerptOf, parseHeader, sealedLength, serialiseHeader } from "#protocol/envelope/index.ts";
import { rangedDocument } from "./ranged.ts";

const place = { account: "a", id: "d" };
const metadata = { name: "a.bin", type: "x/y", size: 10_000 };
const { body } = serialiseHeader({
  messageId: new Uint8Array(32),
  context: { document: "d" },
  encryptedDataKeys: [
    { providerId: "coffer", providerInfo: new Uint8Array(), encryptedDataKey: utf8("edk") },
  ],
  frameLength: 1000,
  commitment: new Uint8Array(32),
});
const head = concat(body, new Uint8Array(16), new Uint8Array(500).fill(7));
const header = parseHeader(head)!;
const total = sealedLength(metadata.size, header.length, 1000);

/** A document of a content of `size` bytes; keeps what was asked of it, and what was handed in to be opened. */
function opened(size = total) {
  const asked: unknown[] = [];
  const handed: { excerpt: unknown; bytes: Uint8Array }[] = [];
  const excerpt = (first: number, range: { offset: number; length: number }) => {
    asked.push(range);
    return new Blob([head.subarray(0, first), new Uint8Array(range.length)]).stream();
  };
  const document = rangedDocument(
    place,
    metadata,
    { head, total: size, excerpt },
    async (excerpt, source) => {
      handed.push({ excerpt, bytes: await new Response(source).bytes() });
      return new Blob([]).stream();
    },
  );
  return { document, asked, handed };
}

it("hands in the header and the frames of a part, and asks for no more", async () => {
  const { document, asked, handed } = opened();
  await document.slice(2500, 3500);
  const excerpt = { offset: 2500, length: 1000, size: total };
  expect(asked).toEqual([{ offset: header.length + 2 * 1032, length: 2 * 1032 }]);
  expect(asked).toEqual([excerptOf(header, excerpt)]);
  expect(handed[0]!.excerpt).toEqual(excerpt);
  expect(handed[0]!.bytes).toEqual(concat(head.subarray(0, header.length), new Uint8Array(2 * 1032)));
});

it("gives what there is where a part reaches beyond the end", async () => {
  const { document, handed } = opened();
  for (const [start, end] of [[9000, 20_000], [9000], [20_000, 30_000]] as const)
    await document.slice(start, end);
  expect(handed.map(({ excerpt }) => excerpt)).toEqual([
    { offset: 9000, length: 1000, size: total },
    { offset: 9000, length: 1000, size: total },
    { offset: 10_000, length: 0, size: total },
  ]);
});

it("refuses a content that is longer or shorter than its metadata says, before anything of it is opened", () => {
  for (const size of [total - 1, total + 1, total - 1032, total + 1032, header.length, 0]) {
    expect(() => opened(size)).toThrow(expect.objectContaining({ code: "decrypt-failed" }));
  }
});

it("throws where a part begins before the document, or ends before it begins", async () => {
  const { document } = opened();
  for (const [start, end] of [
    [-1, 5],
    [5, 4],
    [0.5, 4],
    [Number.NaN, 4],
    [0, Number.NaN],
  ] as const) {
    await expect(document.slice(start, end)).rejects.toThrow(RangeError);
  }
});
