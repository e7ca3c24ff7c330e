import type { Random } from "./random.ts";

/** Mutation of bytes: what a broken or hostile peer sends, whatever the encoding. */

const INTERESTING = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];
const TOKENS = [
  '"',
  "[",
  "]",
  "{",
  "}",
  "0x",
  "<",
  ">",
  "/>",
  "&#0;",
  "&lt;",
  "]]>",
  "<!--",
  "1e999",
  "-0",
  "\\u0000",
];

/** A copy with a few changes; `other` is another message to take parts from. */
export function mutateBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let made = Uint8Array.from(bytes);
  for (let changes = 1 + random.below(5); changes > 0; changes--) made = change(made, other, random);
  return made;
}

function change(bytes: Uint8Array<ArrayBuffer>, other: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return random.bytes(8);
  const at = random.below(bytes.length);
  switch (random.below(8)) {
    case 0:
    case 1:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 2:
      bytes[at] = random.next();
      return bytes;
    case 3: {
      // Lengths and values of TTLV stand at multiples of four.
      const word = at & ~3;
      if (word + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(word, random.pick(INTERESTING));
      return bytes;
    }
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const from = random.below(other.length);
      return spliced(bytes, at, random.below(16), other.subarray(from, from + random.below(64)));
    }
    case 6:
      return spliced(bytes, at, random.below(2), new TextEncoder().encode(random.pick(TOKENS)));
    default:
      return spliced(bytes, at, 8 * random.below(4), bytes.subarray(at, at + 8 * random.below(8)));
  }
}

function spliced(
  bytes: Uint8Array,
  at: number,
  removed: number,
  inserted: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(Math.max(0, bytes.length - removed) + inserted.length + removed);
  made.set(bytes.subarray(0, at));
  made.set(inserted, at);
  const rest = bytes.subarray(Math.min(bytes.length, at + removed));
  made.set(rest, at + inserted.length);
  return made.slice(0, at + inserted.length + rest.length);
}
