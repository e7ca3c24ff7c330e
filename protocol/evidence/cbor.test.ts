import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHex } from "../bytes.ts";
import { decodeCbor } from "./cbor.ts";

const decode = (hex: string, tag?: number) => decodeCbor(decodeHex(hex), tag);

describe("CBOR", () => {
  it.each<[string, string, unknown]>([
    ["a small integer", "17", 23],
    ["an integer in eight bytes", "1b0000018316123456", 0x018316123456],
    ["an integer in more bytes than it needs", "1900ff", 255],
    ["the largest integer", "1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["a negative integer", "3822", -35],
    ["bytes", "420102", new Uint8Array([1, 2])],
    ["bytes in pieces", "5f41014102ff", new Uint8Array([1, 2])],
    ["text", "62c3bc", "ü"],
    ["text in pieces, and a character in two of them", "7f61c361bcff", "ü"],
    ["an array", "83010203", [1, 2, 3]],
    ["an array of indefinite length", "9f0102ff", [1, 2]],
    [
      "a map",
      "a2016161617802",
      new Map<unknown, unknown>([
        [1, "a"],
        ["x", 2],
      ]),
    ],
    ["a map of indefinite length", "bf01f5ff", new Map([[1, true]])],
    ["null", "f6", null],
  ])("reads %s", (_, hex, value) => {
    expect(decode(hex)).toEqual(value);
  });

  it("reads what is in a tag, or in none, and refuses another", () => {
    expect(decode("d28101", 18)).toEqual([1]);
    expect(decode("8101", 18)).toEqual([1]);
    expect(() => decode("d38101", 18)).toThrow("another tag");
    expect(() => decode("d28101")).toThrow("another tag");
    expect(() => decode("d2d28101", 18)).toThrow("another tag");
    expect(() => decode("81d201", 18)).toThrow("another tag");
  });

  it.each([
    ["nothing", "", "cut off"],
    ["trailing bytes", "0101", "trailing bytes"],
    ["a key twice", "a201020103", "a key twice"],
    ["a key twice in other bytes", "a20102180103", "a key twice"],
    ["a key twice in a map of indefinite length", "bf01020103ff", "a key twice"],
    ["a key that is an array", "a18001", "another kind of key"],
    ["a key that is bytes", "a1410101", "another kind of key"],
    ["a key without a value", "bf01ff", "a break too many"],
    ["a break alone", "ff", "a break too many"],
    ["no break", "9f01", "cut off"],
    ["bytes longer than what is there", "5a7fffffff", "cut off"],
    ["an array longer than what is there", "9b001fffffffffffff", "cut off"],
    ["a map longer than what is there", "ba7fffffff", "cut off"],
    ["a length beyond all integers", "5bffffffffffffffff", "too large"],
    ["text that is not UTF-8", "62c328", "not UTF-8"],
    ["text among pieces of bytes", "5f41016161ff", "another piece"],
    ["pieces in pieces", "5f5f4101ffff", "not well-formed"],
    ["an integer of indefinite length", "1f", "a break too many"],
    ["a reserved length", "1c", "not well-formed"],
    ["a float", "f97e00", "not known here"],
    ["undefined", "f7", "not known here"],
    ["null in two bytes", "f816", "not known here"],
    ["a bignum", "c24101", "another tag"],
    ["more depth than evidence has", `${"81".repeat(5)}01`, "too deep"],
    ["endless depth", "81".repeat(16_000), "too deep"],
    ["endless depth of keys", "a1".repeat(16_000), "too deep"],
    ["endless pieces", `5f${"40".repeat(16_000)}ff`, "too many items"],
    ["more items than evidence has", `99ffff${"80".repeat(65_535)}`, "too many items"],
  ])("refuses %s", (_, hex, reason) => {
    expect(() => decode(hex)).toThrow(reason);
  });
});

it("CBOR from anybody is read, or refused with an error of its own", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeCbor(bytes, 18);
      } catch (error) {
        expect((error as Error).constructor).toBe(Error);
        expect((error as Error).message).toMatch(/^CBOR /);
      }
    }),
    { numRuns: 20_000 },
  );
});
