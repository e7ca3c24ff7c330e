import { describe, expect, it } from "vitest";
import { encodeHex, utf8 } from "../bytes.ts";
import { encode, OBJECT_IDENTIFIER, objectIdentifier, SEQUENCE, SET, UTF8_STRING } from "./der.ts";
import { nameOfText, nameOfValues, readName, textOfName } from "./distinguished-name.ts";

const values = (text: string) =>
  readName(nameOfText(text)).map((part) => part.map(({ type, text: value }) => [type, value]));
const CN = "2.5.4.3";
const O = "2.5.4.10";

describe("a name in text", () => {
  it.each([
    ["CN=a\\,O\\=b,O=c", [[[O, "c"]], [[CN, "a,O=b"]]]],
    ['CN=quote \\" backslash \\\\', [[[CN, 'quote " backslash \\']]]],
    ["CN=\\#1", [[[CN, "#1"]]]],
    ["CN=\\ a\\ ", [[[CN, " a "]]]],
    ["CN= a , O=b", [[[O, "b"]], [[CN, "a"]]]],
    ["CN=a\\\\ ,O=b", [[[O, "b"]], [[CN, "a\\"]]]],
    ['CN="a, b + c",O=d', [[[O, "d"]], [[CN, "a, b + c"]]]],
    [
      "O=x+CN=y",
      [
        [
          [CN, "y"],
          [O, "x"],
        ],
      ],
    ],
    ["CN=Lu\\C4\\8Di\\C4\\87", [[[CN, "Lučić"]]]],
    ["CN=a\\00b", [[[CN, "a\0b"]]]],
    ["CN=", [[[CN, ""]]]],
    ["cn=Ä😀", [[[CN, "Ä😀"]]]],
    ["1.2.3.4=#0c0161", [[["1.2.3.4", "a"]]]],
    ["OID.2.5.4.3=a", [[[CN, "a"]]]],
    ["", []],
  ])("reads %s", (text, expected) => {
    expect(values(text)).toEqual(expected);
  });

  it.each([
    "CN",
    "=a",
    "XYZ=a",
    "CN=a,",
    "CN=a+",
    "CN=a;O=b",
    'CN=a"b',
    'CN="a',
    "CN=a\\",
    "CN=a\\x",
    "CN=\\FF",
    "CN=#zz",
    "CN=#0c05",
    "CN=#0c01610c",
    "1=a",
    "3.1=a",
    "1.40=a",
    "2.5.04.3=a",
    "CN=a<b",
    "CN=\ud800",
  ])("refuses %j", (text) => {
    expect(() => nameOfText(text)).toThrow(TypeError);
  });

  it("refuses names longer than any is, which would take long to read", () => {
    const type = encode(OBJECT_IDENTIFIER, new Uint8Array(200).fill(0xff).with(0, 0x55).with(199, 1));
    const name = (oid: Uint8Array, text: string) =>
      encode(SEQUENCE, encode(SET, encode(SEQUENCE, oid, encode(UTF8_STRING, utf8(text)))));
    expect(() => readName(name(type, "x"))).toThrow(TypeError);
    expect(() => readName(name(objectIdentifier("2.5.4.3"), "x".repeat(20_000)))).toThrow(TypeError);
    expect(() => nameOfText(`CN=a${" ".repeat(70_000)}b`)).toThrow(TypeError);
    expect(() => nameOfText(Array(20_000).fill("CN=a").join("+"))).toThrow(TypeError);
    expect(() => nameOfValues(Array(20_000).fill(["CN", ""]))).toThrow(TypeError);
    expect(() => nameOfValues([["CN", "x".repeat(20_000)]])).toThrow(TypeError);
  });

  it("comes back as the same bytes, whatever the values are", () => {
    const pieces = [
      ",",
      "+",
      '"',
      "\\",
      "<",
      ">",
      ";",
      "=",
      "#",
      " ",
      "\0",
      "\n",
      "\u202e",
      "a",
      "Ö",
      "😀",
      "CN=x",
      "\\2c",
      "41",
    ];
    let seed = 1;
    const next = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const types = ["CN", "O", "OU", "C", "E", "DC", "SERIALNUMBER", "UID"];
    for (let i = 0; i < 400; i++) {
      const parts = Array.from({ length: 1 + next(4) }, () => {
        const value = Array.from({ length: next(6) }, () => pieces[next(pieces.length)]).join("");
        return [types[next(types.length)]!, value] as const;
      });
      const der = nameOfValues(parts);
      const text = textOfName(der);
      expect(encodeHex(nameOfText(text)), text).toBe(encodeHex(der));
      expect(readName(der).map(([one]) => one!.text)).toEqual(parts.map(([, value]) => value));
    }
  });

  it("shows a string of any type, and anything else as hexadecimal", () => {
    const name = (tag: number, bytes: Uint8Array, type = CN) =>
      encode(SEQUENCE, encode(SET, encode(SEQUENCE, objectIdentifier(type), encode(tag, bytes))));
    expect(textOfName(name(0x13, utf8("a,b")))).toBe("CN=a\\,b");
    expect(textOfName(name(0x14, Uint8Array.of(0xe4)))).toBe("CN=ä");
    expect(textOfName(name(0x1e, Uint8Array.of(0x00, 0x2c)))).toBe("CN=\\,");
    expect(textOfName(name(0x1c, Uint8Array.of(0, 1, 0xf6, 0)))).toBe("CN=😀");
    expect(textOfName(name(0x04, Uint8Array.of(1)))).toBe("CN=#040101");
    expect(textOfName(name(0x0c, Uint8Array.of(0xff)))).toBe("CN=#0c01ff");
    expect(textOfName(name(0x0c, utf8("a"), "1.2.3"))).toBe("1.2.3=#0c0161");
  });

  it("never takes a value for an attribute", () => {
    expect(textOfName(nameOfValues([["CN", "a,O=root"]]))).toBe("CN=a\\,O\\=root");
    expect(readName(nameOfValues([["CN", "a,O=root"]]))).toHaveLength(1);
  });
});
