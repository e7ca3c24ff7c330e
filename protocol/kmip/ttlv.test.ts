import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHex, encodeHex, utf8 } from "../bytes.ts";
import {
  decodeItem,
  type Encoding,
  encodeItem,
  type Item,
  KmipDecodeError,
  KmipEncodeError,
} from "./index.ts";

const hex = (text: string) => decodeHex(text.replaceAll(" ", ""));

/** Runs `action` and returns the `KmipDecodeError` that it must throw. */
function refusal(action: () => unknown): KmipDecodeError {
  try {
    action();
  } catch (error) {
    if (error instanceof KmipDecodeError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

const tag = fc.oneof(
  fc.integer({ min: 0x420001, max: 0x42016f }),
  fc.integer({ min: 0x540000, max: 0x54ffff }),
);
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
/** Text that XML 1.0 can hold as well. */
const text = fc
  .string({ unit: "grapheme" })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  .filter((value) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.test(value));

const leaf: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ tag, type: fc.constant("Integer" as const), value: fc.integer() }),
  fc.record({ tag, type: fc.constant("LongInteger" as const), value: int64 }),
  fc.record({ tag, type: fc.constant("BigInteger" as const), value: fc.bigInt() }),
  fc.record({ tag, type: fc.constant("Enumeration" as const), value: fc.nat({ max: 0xffffffff }) }),
  fc.record({ tag, type: fc.constant("Boolean" as const), value: fc.boolean() }),
  fc.record({ tag, type: fc.constant("TextString" as const), value: text }),
  fc.record({ tag, type: fc.constant("ByteString" as const), value: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({ tag, type: fc.constant("DateTime" as const), value: int64 }),
  fc.record({ tag, type: fc.constant("Interval" as const), value: fc.nat({ max: 0xffffffff }) }),
  fc.record({ tag, type: fc.constant("DateTimeExtended" as const), value: int64 }),
);

const { item } = fc.letrec<{ item: Item }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.record({
      tag,
      type: fc.constant("Structure" as const),
      value: fc.array(tie("item"), { maxLength: 5 }),
    }),
  ),
}));

describe("round trips", () => {
  for (const encoding of ["ttlv", "json", "xml"] satisfies Encoding[]) {
    it(`keeps any item in ${encoding}`, () => {
      fc.assert(
        fc.property(item, (tree) => {
          expect(decodeItem(encodeItem(tree, encoding), { encoding })).toEqual(tree);
        }),
      );
    });
  }

  it("gives byte strings as plain arrays, whatever it reads from", () => {
    const item: Item = { tag: 0x420042, type: "ByteString", value: new Uint8Array([1, 2, 3]) };
    const { value } = decodeItem(Buffer.from(encodeItem(item)));
    expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
  });

  it("keeps XML text with markup and white space", () => {
    const tree: Item = { tag: 0x420094, type: "TextString", value: '\t<a b="c">&amp;\r\n\'\u{1f511}' };
    expect(decodeItem(encodeItem(tree, "xml"), { encoding: "xml" })).toEqual(tree);
  });

  it("keeps long values while the buffer grows", () => {
    const value = Array.from({ length: 300 }, (_, i): Item[] => [
      { tag: 0x420094, type: "TextString", value: "ü".repeat(i) },
      { tag: 0x420043, type: "ByteString", value: new Uint8Array(i).fill(0xff) },
      { tag: 0x42002a, type: "Integer", value: 1 - i },
      { tag: 0x420001, type: "DateTime", value: BigInt(-i) },
      { tag: 0x420052, type: "BigInteger", value: -(1n << BigInt(i)) },
    ]).flat();
    const tree: Item = { tag: 0x420078, type: "Structure", value };
    expect(decodeItem(encodeItem(tree))).toEqual(tree);
  });
});

it("a BigInteger takes no more groups of 8 bytes than its value needs", () => {
  for (const [value, length] of [
    [0n, 8],
    [(1n << 63n) - 1n, 8],
    [1n << 63n, 16],
    [-(1n << 63n), 8],
    [-(1n << 63n) - 1n, 16],
    [(1n << 127n) - 1n, 16],
  ] as const) {
    const item: Item = { tag: 0x420052, type: "BigInteger", value };
    const bytes = encodeItem(item);
    expect([value, bytes.length - 8]).toEqual([value, length]);
    expect(decodeItem(bytes)).toEqual(item);
  }
});

describe("malformed TTLV", () => {
  const cases: [name: string, bytes: string, message: RegExp, offset: number][] = [
    ["nothing", "", /cut off/, 0],
    ["a cut header", "42002002000000", /cut off/, 0],
    ["an unknown type", "4200200c00000004 0000000800000000", /unknown item type 12/, 3],
    ["type 0", "4200200000000004 0000000800000000", /unknown item type 0/, 3],
    ["an Integer of 8 bytes", "4200200200000008 0000000000000008", /Integer of 8 bytes/, 4],
    ["a Boolean of 4 bytes", "4200200600000004 0000000100000000", /Boolean of 4 bytes/, 4],
    ["a Boolean of 2", "4200200600000008 0000000000000002", /neither 0 nor 1/, 8],
    ["a BigInteger of 4 bytes", "4200200400000004 0000000100000000", /BigInteger of 4 bytes/, 4],
    ["an empty BigInteger", "4200200400000000", /BigInteger of 0 bytes/, 4],
    ["a length bomb", "42002008ffffffff 0000000000000000", /length runs past/, 4],
    ["a structure length bomb", "42002001fffffff8 4200200100000000", /length runs past/, 4],
    ["a child longer than its parent", "4200780100000010 4200200800000010 0000000000000000", /runs past/, 12],
    ["a child header in the rest", "4200780100000004 42002001", /padding is cut off/, 12],
    ["a structure that ends within an item", "4200780100000004 0000000100000000", /Structure of 4 bytes/, 4],
    ["cut padding", "4200200200000004 00000008 0000", /padding is cut off/, 12],
    ["padding that is not zero", "4200200200000004 0000000800000001", /padding is not zero/, 15],
    ["bytes after the message", "4200200200000004 0000000800000000 00", /bytes after/, 16],
    ["text that is not UTF-8", "4200200700000002 c328000000000000", /not UTF-8/, 8],
    ["text with a surrogate", "4200200700000003 eda0800000000000", /not UTF-8/, 8],
  ];
  for (const [name, bytes, message, offset] of cases) {
    it(`refuses ${name}`, () => {
      const error = refusal(() => decodeItem(hex(bytes)));
      expect(error.message).toMatch(message);
      expect(error.offset).toBe(offset);
      expect(error.code).toBe("InvalidMessage");
    });
  }

  it("has no text with a lone surrogate, in any encoding", () => {
    const half: Item = { tag: 0x420094, type: "TextString", value: "key \ud83d" };
    for (const encoding of ["ttlv", "json", "xml"] as const)
      expect(() => encodeItem(half, encoding)).toThrow(KmipEncodeError);
    const json = utf8('{"tag":"UniqueIdentifier","type":"TextString","value":"key \\ud83d"}');
    refusal(() => decodeItem(json, { encoding: "json" }));
  });

  it("bounds depth, items and length", () => {
    let nested: Item = { tag: 0x420001, type: "Structure", value: [] };
    for (let i = 0; i < 31; i++) nested = { tag: 0x420001, type: "Structure", value: [nested] };
    expect(decodeItem(encodeItem(nested))).toEqual(nested);
    const deeper: Item = { tag: 0x420001, type: "Structure", value: [nested] };
    const flat: Item = {
      tag: 0x420001,
      type: "Structure",
      value: Array.from({ length: 10 }, () => ({ tag: 0x420002, type: "Boolean", value: true })),
    };
    for (const encoding of ["ttlv", "json", "xml"] satisfies Encoding[]) {
      expect(refusal(() => decodeItem(encodeItem(deeper, encoding), { encoding })).message).toMatch(
        /too deep/,
      );
      expect(
        refusal(() => decodeItem(encodeItem(flat, encoding), { encoding, maximumItems: 10 })).message,
      ).toMatch(/too many/);
      expect(
        refusal(() => decodeItem(encodeItem(flat, encoding), { encoding, maximumLength: 100 })).message,
      ).toMatch(/too long/);
    }
  });

  it("only ever throws KmipDecodeError", () => {
    fc.assert(
      fc.property(item, fc.nat(), fc.nat({ max: 255 }), (tree, position, byte) => {
        const bytes = encodeItem(tree);
        bytes[position % bytes.length] = byte;
        try {
          decodeItem(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(KmipDecodeError);
        }
        expect(refusal(() => decodeItem(bytes.subarray(0, position % bytes.length))).code).toBe(
          "InvalidMessage",
        );
      }),
    );
  });
});

describe("malformed JSON and XML", () => {
  const refused = (text: string, encoding: Encoding) =>
    refusal(() => decodeItem(utf8(text), { encoding })).message;

  for (const [name, json] of Object.entries({
    "no JSON": "{",
    "an array": "[]",
    null: "null",
    "a numeric tag": '{"tag":1}',
    "an unknown tag": '{"tag":"Nonsense","value":[]}',
    "a short tag": '{"tag":"0x42","value":[]}',
    "an unknown type": '{"tag":"Name","type":"Real","value":1}',
    "an Integer out of range": '{"tag":"BatchCount","type":"Integer","value":2147483648}',
    "an Integer with a fraction": '{"tag":"BatchCount","type":"Integer","value":1.5}',
    "a long number beyond 2^53": '{"tag":"UsageLimitsCount","type":"LongInteger","value":9007199254740993}',
    "an object as value": '{"tag":"Name","type":"TextString","value":{}}',
    "a number as text": '{"tag":"NameValue","type":"TextString","value":1}',
    "hexadecimal of odd length": '{"tag":"Data","type":"ByteString","value":"abc"}',
    "an unknown enumeration": '{"tag":"Operation","type":"Enumeration","value":"Explode"}',
    "30 February": '{"tag":"TimeStamp","type":"DateTime","value":"2026-02-30T00:00:00Z"}',
    "29 February of no leap year":
      '{"tag":"TimeStamp","type":"DateTimeExtended","value":"2025-02-29 00:00:00"}',
    "an hour 24": '{"tag":"TimeStamp","type":"DateTime","value":"2026-01-01T24:00:00Z"}',
    "no date": '{"tag":"TimeStamp","type":"DateTime","value":"yesterday"}',
    "text as structure": '{"tag":"Name","value":"a"}',
    "a BigInteger of odd digits": '{"tag":"P","type":"BigInteger","value":"0x123"}',
  })) {
    it(`refuses JSON: ${name}`, () => expect(refused(json, "json")).toBeTruthy());
  }

  for (const [name, xml] of Object.entries({
    nothing: "",
    text: "hello",
    "a document type": '<!DOCTYPE a [<!ENTITY b "c">]><Name/>',
    "an unknown entity": '<NameValue type="TextString" value="&b;"/>',
    "a bare ampersand": '<NameValue type="TextString" value="a & b"/>',
    "a forbidden character": '<NameValue type="TextString" value="&#0;"/>',
    "text inside": "<Name>text</Name>",
    CDATA: "<Name><![CDATA[a]]></Name>",
    "a processing instruction": "<Name><?php ?></Name>",
    "an attribute twice": '<NameValue type="TextString" type="TextString" value="a"/>',
    "an end tag that does not fit": "<Name></NameValue>",
    "no end tag": "<Name>",
    "two roots": "<Name/><Name/>",
    "no value": '<NameValue type="TextString"/>',
    "children of a text": '<NameValue type="TextString" value="a"><Name/></NameValue>',
    "an open comment": "<Name><!-- </Name>",
  })) {
    it(`refuses XML: ${name}`, () => expect(refused(xml, "xml")).toBeTruthy());
  }

  it("refuses to write what XML cannot hold", () => {
    expect(() => encodeItem({ tag: 0x420094, type: "TextString", value: "\0" }, "xml")).toThrow(
      KmipEncodeError,
    );
  });

  it("reads the other spellings of values", () => {
    const read = (tag: string, type: string, value: unknown) =>
      decodeItem(utf8(JSON.stringify({ tag, type, value })), { encoding: "json" }).value;
    expect(read("CryptographicUsageMask", "Integer", "Encrypt|Decrypt")).toBe(12);
    expect(read("CryptographicUsageMask", "Integer", "0x0000000c")).toBe(12);
    expect(read("CryptographicLength", "Integer", "0xffffffff")).toBe(-1);
    // `toBe` tells -0, which TTLV does not have, from 0.
    expect(read("CryptographicLength", "Integer", "-0")).toBe(0);
    expect(read("Operation", "Enumeration", 10)).toBe(10);
    expect(read("Operation", "Enumeration", "0x0000000A")).toBe(10);
    expect(read("UsageLimitsCount", "LongInteger", "0xffffffffffffffff")).toBe(-1n);
    expect(read("P", "BigInteger", 255)).toBe(255n);
    expect(read("P", "BigInteger", "0xff")).toBe(-1n);
    expect(read("Sensitive", "Boolean", "0x0000000000000001")).toBe(true);
    expect(read("ActivationDate", "DateTime", "0x0000000047da67f8")).toBe(1205495800n);
    expect(read("ActivationDate", "DateTime", "2008-03-14T12:56:40+01:00")).toBe(1205495800n);
    expect(read("LeaseTime", "Interval", 10)).toBe(10);
  });

  it("reads attribute values by the attribute's name", () => {
    const xml = `<Attribute><AttributeName type="TextString" value="Cryptographic Usage Mask"/>
      <AttributeValue type="Integer" value="Encrypt Decrypt"/></Attribute>`;
    const item = decodeItem(utf8(xml), { encoding: "xml" });
    expect((item.value as Item[])[1]!.value).toBe(12);
    expect(new TextDecoder().decode(encodeItem(item, "json"))).toContain('"Encrypt|Decrypt"');
    expect(encodeHex(encodeItem(item))).toContain("42000b02000000040000000c");
  });
});
