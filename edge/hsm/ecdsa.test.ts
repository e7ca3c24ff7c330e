import { createSign, createVerify, generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { ORDER, scalarS } from "#protocol/keys/low-s.fixture.ts";
import { derToRaw } from "./ecdsa.ts";

it("turns DER signatures into raw ones that verify", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (let i = 0; i < 300; i++) {
    const der = createSign("SHA256").update(String(i)).sign(privateKey);
    const raw = derToRaw(der);
    expect(raw.length).toBe(64);
    // The lower of the two s that hold: one text for one signature.
    expect(scalarS(raw) <= ORDER / 2n).toBe(true);
    const verified = createVerify("SHA256")
      .update(String(i))
      .verify({ key: publicKey, dsaEncoding: "ieee-p1363" }, raw);
    expect(verified).toBe(true);
  }
});

it("refuses what is not a P-256 signature", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const der = createSign("SHA256").update("x").sign(privateKey);
  expect(() => derToRaw(der)).toThrow(TypeError);
  expect(() => derToRaw(new Uint8Array(0))).toThrow(TypeError);
  expect(() => derToRaw(Uint8Array.of(0x30, 6, 2, 1, 0x80, 2, 1, 1))).toThrow(TypeError);
});
