import { expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { cleanFolder, cleanName, cleanType, decodeMetadata, encodeMetadata } from "./metadata.ts";

it("comes back as it was, and does not tell the length of a name", () => {
  const metadata = {
    name: "Überweisung – März.pdf",
    type: "application/pdf",
    size: 12,
    modified: 1_700_000_000_000,
  };
  const bytes = encodeMetadata(metadata);
  expect(decodeMetadata(bytes)).toEqual(metadata);
  expect(bytes.length).toBe(256);
  expect(encodeMetadata({ ...metadata, name: "x" }).length).toBe(256);
});

const content = { messageId: "A".repeat(43), headerDigest: `${"-_".repeat(21)}8` };

it("names its content from format 2 on; that of format 1 has no mark", () => {
  const metadata = { name: "a", type: "a/b", size: 1, content };
  const bytes = encodeMetadata(metadata);
  expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ format: 2, content });
  expect(decodeMetadata(bytes)).toEqual(metadata);
  expect(decodeMetadata(utf8('{"name":"a","type":"a/b","size":1}'))).toEqual({
    name: "a",
    type: "a/b",
    size: 1,
  });
});

it.each([
  ["decrypt-failed", { format: 2 }],
  ["decrypt-failed", { format: 2, content: null }],
  ["decrypt-failed", { format: 2, content: { ...content, messageId: "short" } }],
  ["decrypt-failed", { format: 2, content: { ...content, headerDigest: undefined } }],
  ["decrypt-failed", { format: 1, content }],
  ["decrypt-failed", { format: "2", content }],
  ["decrypt-failed", { format: null }],
  ["newer-format", { format: 3, content }],
])("answers %s to %j", (code, more) => {
  const json = JSON.stringify({ name: "a", type: "a/b", size: 1, ...more });
  expect(() => decodeMetadata(utf8(json))).toThrow(expect.objectContaining({ code }));
});

it("refuses names that are too long", () => {
  expect(() => encodeMetadata({ name: "x".repeat(256), type: "a/b", size: 0 })).toThrow(
    expect.objectContaining({ code: "name-too-long" }),
  );
});

it("refuses what is no metadata", () => {
  for (const text of [
    "",
    "null",
    "[]",
    '{"name":1,"size":1}',
    '{"name":"a","size":-1}',
    '{"name":"a","size":1.5}',
    '{"name":"a"}',
  ]) {
    expect(() => decodeMetadata(utf8(text)), text).toThrow(
      expect.objectContaining({ code: "decrypt-failed" }),
    );
  }
  expect(() => decodeMetadata(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(
    expect.objectContaining({ code: "decrypt-failed" }),
  );
});

it("makes names safe to show and to save under", () => {
  expect(cleanName("a.txt")).toBe("a.txt");
  expect(cleanName("../../etc/passwd")).toBe("passwd");
  expect(cleanName("C:\\temp\\x.doc")).toBe("x.doc");
  expect(cleanName("invoice\u202efdp.exe")).toBe("invoicefdp.exe");
  expect(cleanName("a\u0000b\nc")).toBe("abc");
  expect(cleanName("..")).toBe("document");
  expect(cleanName("  ")).toBe("document");
});

it("takes the essence of a media type, or none", () => {
  expect(cleanType("Text/HTML; charset=utf-8")).toBe("text/html");
  expect(cleanType("")).toBe("application/octet-stream");
  expect(cleanType("a/b\r\nx: y")).toBe("application/octet-stream");
});

it("keeps the folder that a file was in, relative and below itself whatever it says", () => {
  const metadata = { name: "a", type: "a/b", size: 1, folder: "Taxes/2025" };
  expect(decodeMetadata(encodeMetadata(metadata))).toEqual(metadata);
  expect(cleanFolder("/../../etc//./x\\y\u202e/")).toBe("etc/x/y");
  expect(cleanFolder("..")).toBe("");
  const sealed = (folder: unknown) => utf8(JSON.stringify({ name: "a", type: "a/b", size: 1, folder }));
  expect(decodeMetadata(sealed("../x")).folder).toBe("x");
  expect(decodeMetadata(sealed("..")).folder).toBeUndefined();
  expect(decodeMetadata(sealed(["x"])).folder).toBeUndefined();
  expect(decodeMetadata(sealed("x".repeat(5000))).folder).toHaveLength(1024);
  expect(() => encodeMetadata({ ...metadata, folder: "x".repeat(1025) })).toThrow(
    expect.objectContaining({ code: "name-too-long" }),
  );
});

it("takes a time that is none of a Date for none", () => {
  const read = (modified: unknown) =>
    decodeMetadata(utf8(JSON.stringify({ name: "a", type: "a/b", size: 1, modified }))).modified;
  expect([8.64e15, -8.64e15, 0].map(read)).toEqual([8.64e15, -8.64e15, 0]);
  for (const none of [8.64e15 + 1, -8.64e15 - 1, Number.MAX_SAFE_INTEGER, 1.5, "1", null])
    expect(read(none)).toBeUndefined();
});
