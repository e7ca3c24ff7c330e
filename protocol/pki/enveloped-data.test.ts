import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { vectorsFolder } from "#test/support/vectors.ts";
import { parseEnvelopedData } from "./enveloped-data.ts";

const FOLDER = join(vectorsFolder(), "kms-cms");
const read = (name: string) => new Uint8Array(readFileSync(join(FOLDER, name)));

describe.skipIf(!existsSync(FOLDER))("CMS that AWS KMS has made", () => {
  it.each(["", "_w_ctx"])("M19 is read to its encrypted key, IV and content: input_ber%s", (which) => {
    expect(parseEnvelopedData(read(`input_ber${which}.bin`))).toEqual({
      encryptedKey: read(`encrypted_key_out${which}.bin`),
      iv: read(`iv_out${which}.bin`),
      content: read(`ciphertext_out${which}.bin`),
    });
  });

  it("is refused where it is cut off, has more behind it, or names another algorithm, type or version", () => {
    const whole = read("input_ber.bin");
    for (let length = 0; length < whole.length; length++)
      expect(() => parseEnvelopedData(whole.subarray(0, length)), String(length)).toThrow(TypeError);
    expect(() => parseEnvelopedData(new Uint8Array([...whole, 0]))).toThrow(TypeError);
    // Every octet but those of subject key identifier, encrypted key, IV and content says what it is.
    const free = (at: number) =>
      [
        [33, 64],
        [131, 386],
        [415, 430],
        [435, 482],
      ].some(([a = 0, b = 0]) => at >= a && at <= b);
    for (let at = 0; at < whole.length; at++) {
      const other = new Uint8Array(whole);
      other[at] = (other[at] ?? 0) ^ 0x01;
      if (!free(at)) expect(() => parseEnvelopedData(other), `octet ${at}`).toThrow(TypeError);
    }
  });
});

it("refuses what is deep or long", () => {
  expect(() => parseEnvelopedData(new Uint8Array(4096).fill(0x30))).toThrow(TypeError);
  const deep = new Uint8Array(1000).map((_, at) => (at % 2 === 0 ? 0x30 : 0x80));
  expect(() => parseEnvelopedData(deep)).toThrow(TypeError);
});
