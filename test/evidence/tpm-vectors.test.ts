/** A quote of a TPM 2.0, made by tpm2-tools, against the key and the nonce that it was asked for with. */

import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeHex, encodeHex } from "#protocol/bytes.ts";
import { type QuoteFiles, verifyQuote } from "#protocol/evidence/index.ts";
import { vectorsFolder } from "../support/vectors.ts";

const folder = join(vectorsFolder(), "tpm");
const present = existsSync(folder);
const read = (file: string) => new Uint8Array(readFileSync(join(folder, file)));
const text = (file: string) => readFileSync(join(folder, file), "utf8").trim();

describe.skipIf(!present)("a quote of a TPM", () => {
  const files = (): QuoteFiles => ({
    message: read("quote.msg"),
    signature: read("quote.sig"),
    registers: read("quote.pcrs"),
  });
  const keys = () => [
    new Uint8Array(createPublicKey(text("ak.pem")).export({ format: "der", type: "spki" })),
  ];
  const extraData = () => decodeHex(text("quote.nonce.hex"));
  const verify = (changes: Partial<QuoteFiles> = {}) =>
    verifyQuote({ ...files(), ...changes }, { keys: keys(), extraData: extraData() });

  it("says what was measured, and how the TPM is", async () => {
    const quote = await verify();
    const registers = quote.registers.map(({ hash, index, value }) => [hash, index, encodeHex(value)]);
    const zero = "0".repeat(64);
    expect(registers).toEqual([
      ["SHA-256", 0, zero],
      ["SHA-256", 7, zero],
      ["SHA-256", 16, "9f03f43bc459948b77db8ee726b7c4bcf81820569b1e9b8d99ecd02182addcaa"],
    ]);
    expect(quote).toMatchObject({
      clock: 0x4c6n,
      resets: 1,
      restarts: 0,
      safe: true,
      firmware: 0x2019102300163636n,
    });
    expect(quote.signer).toHaveLength(34);
  });

  it("is refused with any byte changed, of message, signature, and registers with their padding", async () => {
    const taken: string[] = [];
    for (const [name, bytes] of Object.entries(files()))
      for (let at = 0; at < bytes.length; at++)
        for (const mask of [0x01, 0x80, 0xff]) {
          const changed = bytes.with(at, bytes[at]! ^ mask);
          await verify({ [name]: changed }).then(
            () => taken.push(`${name} ${at} ${mask}`),
            () => {},
          );
        }
    expect(taken).toEqual([]);
  }, 120_000);

  it("is refused with a byte more or less", async () => {
    for (const [name, bytes] of Object.entries(files())) {
      await expect(verify({ [name]: bytes.slice(0, -1) })).rejects.toThrow();
      await expect(verify({ [name]: new Uint8Array([...bytes, 0]) })).rejects.toThrow("trailing bytes");
    }
  });

  it("is no certification of a key, nor that a quote", async () => {
    const certification = { message: read("certify.msg"), signature: read("certify.sig") };
    await expect(verify(certification)).rejects.toThrow("not a quote");
    await expect(verify({ signature: read("certify.sig") })).rejects.toThrow("no registered key");
  });
});
